//! Contacts: a text file in the data folder, one a line, `ID` or `ID NAME`. It may be edited by hand;
//! it is read anew whenever it is asked for, and written whole under another name first.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bruit_core::id::AuthorId;

use crate::keys::private_options;
use crate::store::sync_folder;

/// Name of the file in the data folder.
const FILE: &str = "contacts";
/// Most contacts.
const CONTACTS_MAX: usize = 4_096;
/// Most bytes of a name.
const NAME_BYTES_MAX: usize = 64;

/// Somebody whose letters are acknowledged, and who is told of a new delivery code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact {
    /// The key of their node, or of theirs as an author.
    pub id: AuthorId,
    /// What they are called here.
    pub name: Option<String>,
}

/// Why contacts cannot be read or changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum ContactsError {
    /// A line of the file is no contact.
    #[error("line {line} of {} is no contact", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// The name cannot be one.
    #[error("\"{}\" is no name for a contact", .0.escape_debug())]
    BadName(String),
    /// Somebody else has the name.
    #[error("{name} is the name of {id} already")]
    Taken {
        /// The name.
        name: String,
        /// Whose it is.
        id: AuthorId,
    },
    /// There are too many.
    #[error("there are {max} contacts already")]
    Full {
        /// Most contacts.
        max: usize,
    },
    /// Reading or writing failed.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// The node has stopped.
    #[error("the node has stopped")]
    Closed,
}

impl ContactsError {
    /// The code in outputs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Line { .. } => "contacts_malformed",
            Self::BadName(_) => "contact_name",
            Self::Taken { .. } => "contact_exists",
            Self::Full { .. } => "queue_full",
            Self::Io { .. } => "disk_error",
            Self::Closed => "closed",
        }
    }

    /// What mends it.
    pub fn fix(&self) -> String {
        match self {
            Self::Line { path, line } => {
                format!(
                    "write an id and a name into line {line} of {}, or remove it",
                    path.display()
                )
            }
            Self::BadName(_) => format!(
                "use at most {NAME_BYTES_MAX} bytes without blanks that are not an id's beginning"
            ),
            Self::Taken { name, .. } => {
                format!("choose another name, or first: bruit contacts rm {name}")
            }
            Self::Full { .. } => "remove some: bruit contacts rm ID".to_owned(),
            Self::Io { path, .. } => format!("look at {} and its disk", path.display()),
            Self::Closed => "start the node again".to_owned(),
        }
    }
}

/// The contacts of a node.
#[derive(Debug)]
pub(crate) struct Contacts {
    /// None: they go with the process.
    path: Option<PathBuf>,
    list: Vec<Contact>,
}

impl Contacts {
    /// Those in `folder`.
    pub(crate) fn new(folder: Option<&Path>) -> Self {
        Self {
            path: folder.map(|folder| folder.join(FILE)),
            list: Vec::new(),
        }
    }

    /// All contacts, as they are now.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(crate) fn read(&mut self) -> Result<&[Contact], ContactsError> {
        if let Some(path) = &self.path {
            self.list = match fs::read_to_string(path) {
                Ok(text) => parse(&text, path)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(failed(path, error)),
            };
        }
        Ok(&self.list)
    }

    /// Adds a contact, or names one anew.
    ///
    /// # Errors
    /// The user's when the name cannot be one, the machine's when the file cannot be written.
    pub(crate) fn add(&mut self, contact: Contact) -> Result<(), ContactsError> {
        if let Some(name) = &contact.name {
            check_name(name)?;
        }
        self.read()?;
        let mut list = self.list.clone();
        list.retain(|other| other.id != contact.id);
        let same = |other: &&Contact| contact.name.is_some() && other.name == contact.name;
        if let Some(other) = list.iter().find(same) {
            let (name, id) = (contact.name.unwrap_or_default(), other.id);
            return Err(ContactsError::Taken { name, id });
        }
        if list.len() >= CONTACTS_MAX {
            return Err(ContactsError::Full { max: CONTACTS_MAX });
        }
        list.push(contact);
        self.write(list)
    }

    /// Removes a contact; answers whether there was one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(crate) fn remove(&mut self, id: &AuthorId) -> Result<bool, ContactsError> {
        self.read()?;
        let mut list = self.list.clone();
        list.retain(|contact| contact.id != *id);
        if list.len() == self.list.len() {
            return Ok(false);
        }
        self.write(list)?;
        Ok(true)
    }

    fn write(&mut self, list: Vec<Contact>) -> Result<(), ContactsError> {
        if let Some(path) = &self.path {
            save(path, &list).map_err(|error| failed(path, error))?;
        }
        self.list = list;
        Ok(())
    }
}

fn failed(path: &Path, error: io::Error) -> ContactsError {
    ContactsError::Io {
        path: path.to_owned(),
        source: Arc::new(error),
    }
}

fn save(path: &Path, list: &[Contact]) -> io::Result<()> {
    let temporary = path.with_extension("new");
    let mut options = private_options();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .open(&temporary)?;
    for contact in list {
        match &contact.name {
            Some(name) => writeln!(file, "{} {name}", contact.id)?,
            None => writeln!(file, "{}", contact.id)?,
        }
    }
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    sync_folder(path.parent().unwrap_or(Path::new(".")))
}

/// Reads the lines of a file; empty ones, and those that begin with `#`, say nothing.
fn parse(text: &str, path: &Path) -> Result<Vec<Contact>, ContactsError> {
    let mut list: Vec<Contact> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = || ContactsError::Line {
            path: path.to_owned(),
            line: number + 1,
        };
        let (id, name) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let id = id.parse().map_err(|_| wrong())?;
        let name = (!name.is_empty()).then(|| name.trim().to_owned());
        if name
            .as_deref()
            .is_some_and(|name| check_name(name).is_err())
        {
            return Err(wrong());
        }
        list.retain(|contact| contact.id != id);
        list.push(Contact { id, name });
    }
    list.truncate(CONTACTS_MAX);
    Ok(list)
}

/// Whether `name` can be told from an id, and stands on a line.
fn check_name(name: &str) -> Result<(), ContactsError> {
    let is_id = name.len() >= 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control();
    let is_good = (1..=NAME_BYTES_MAX).contains(&name.len())
        && !is_id
        && !name.starts_with(['#', '-'])
        && name.chars().all(is_plain);
    is_good
        .then_some(())
        .ok_or_else(|| ContactsError::BadName(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contact(number: u8, name: Option<&str>) -> Contact {
        Contact {
            id: AuthorId::from_bytes([number; 32]),
            name: name.map(str::to_owned),
        }
    }

    #[test]
    fn contacts_are_a_text_that_survives_and_may_be_edited() {
        let folder = tempfile::tempdir().unwrap();
        let mut contacts = Contacts::new(Some(folder.path()));
        assert_eq!(contacts.read().unwrap(), []);
        contacts.add(contact(1, Some("alice"))).unwrap();
        contacts.add(contact(2, None)).unwrap();
        let path = folder.path().join(FILE);
        let text = fs::read_to_string(&path).unwrap();
        let expected = format!("{} alice\n{}\n", "01".repeat(32), "02".repeat(32));
        assert_eq!(text, expected);

        fs::write(
            &path,
            format!("# friends\n\n{text}{} bob\n", "03".repeat(32)),
        )
        .unwrap();
        let all = contacts.read().unwrap().to_vec();
        assert_eq!(all.last(), Some(&contact(3, Some("bob"))));
        assert_eq!(all.len(), 3);
        assert!(contacts.remove(&contact(1, None).id).unwrap());
        assert!(!contacts.remove(&contact(1, None).id).unwrap());
        assert_eq!(contacts.read().unwrap().len(), 2);

        fs::write(&path, "alice\n").unwrap();
        let error = contacts.read().unwrap_err();
        assert!(
            matches!(error, ContactsError::Line { line: 1, .. }),
            "{error}"
        );
        assert!(
            contacts.add(contact(4, None)).is_err(),
            "nothing is written over"
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "alice\n");
    }

    #[test]
    fn names_are_for_one_contact_and_no_ids() {
        let mut contacts = Contacts::new(None);
        contacts.add(contact(1, Some("alice"))).unwrap();
        let taken = contacts.add(contact(2, Some("alice")));
        assert!(matches!(taken, Err(ContactsError::Taken { .. })));
        contacts.add(contact(1, Some("alice2"))).unwrap();
        assert_eq!(contacts.read().unwrap(), [contact(1, Some("alice2"))]);
        for name in ["", "a b", "#a", "-a", "a\n", "0123abcd", &"a".repeat(65)] {
            let error = contacts.add(contact(3, Some(name))).unwrap_err();
            assert!(matches!(error, ContactsError::BadName(_)), "{name:?}");
        }
    }
}
