//! The cabinet: what the desk keeps, in a small database of its own in the data folder.
//!
//! Every write is synced before it is answered. A record is `[version: u8 = 1][postcard]`; one that
//! cannot be read is left out and said in the log: it concerns one letter, and not the others.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};
use tracing::warn;

use super::records::{Change, Record};
use crate::keys::private_options;
use crate::store::StoreError;

/// Name of the file in the data folder.
const FILE: &str = "letters.redb";
/// Memory for pages of the database.
const CACHE_BYTES: usize = 1 << 20;
/// Layout of the records.
const VERSION: u8 = 1;

const RECORDS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("records");

/// The cabinet. One without a folder keeps nothing.
#[derive(Debug)]
pub(crate) struct Cabinet {
    place: Option<Place>,
}

/// Where the database is.
struct Place {
    path: PathBuf,
    opens: Box<Opens>,
    /// None after a write for which there was no room: a database takes none any more then, and is opened anew.
    database: Mutex<Option<Database>>,
}

type Opens = dyn Fn(&Path) -> Result<Database, redb::Error> + Send + Sync;

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.fmt(f)
    }
}

impl Cabinet {
    /// Opens the cabinet in `folder`, and returns what is in it.
    ///
    /// # Errors
    /// The operator's or the machine's, as those of the store.
    pub(crate) fn open(folder: Option<&Path>) -> Result<(Self, Vec<Record>), StoreError> {
        match folder {
            Some(folder) => Self::open_with(folder, Box::new(open)),
            None => Ok((Self { place: None }, Vec::new())),
        }
    }

    fn open_with(folder: &Path, opens: Box<Opens>) -> Result<(Self, Vec<Record>), StoreError> {
        let path = folder.join(FILE);
        let wrong = |error: redb::Error| StoreError::from_redb(error, &path);
        let database = opens(&path).map_err(wrong)?;
        let records = read(&database).map_err(wrong)?;
        let place = Some(Place {
            database: Mutex::new(Some(database)),
            opens,
            path,
        });
        Ok((Self { place }, records))
    }

    /// Keeps `changes`, all or none, and syncs them.
    ///
    /// # Errors
    /// The machine's; nothing is kept then. Where only room was missing, it may be tried again.
    pub(crate) fn write(&self, changes: &[Change]) -> Result<(), StoreError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let mut open = place
            .database
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let database = match open.take() {
            Some(database) => Ok(database),
            None => (place.opens)(&place.path),
        };
        let written = database.and_then(|database| {
            let written = write(&database, changes);
            *open = Some(database);
            written
        });
        written.map_err(|error| {
            let error = StoreError::from_redb(error, &place.path);
            if error.is_full() {
                *open = None;
            }
            error
        })
    }
}

fn open(path: &Path) -> Result<Database, redb::Error> {
    let mut options = private_options();
    let options = options.read(true).write(true).create(true).truncate(false);
    let file = options.open(path)?;
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    Ok(builder.create_with_backend(FileBackend::new(file)?)?)
}

fn read(database: &Database) -> Result<Vec<Record>, redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(RECORDS)?;
    transaction.commit()?;
    let transaction = database.begin_read()?;
    let mut records = Vec::new();
    for row in transaction.open_table(RECORDS)?.iter()? {
        let (_, value) = row?;
        let Some((&VERSION, text)) = value.value().split_first() else {
            warn!("a record of letters is of another version of bruit");
            continue;
        };
        match postcard::from_bytes(text) {
            Ok(record) => records.push(record),
            Err(error) => warn!(%error, "a record of letters cannot be read"),
        }
    }
    Ok(records)
}

fn write(database: &Database, changes: &[Change]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    {
        let mut table = transaction.open_table(RECORDS)?;
        for change in changes {
            match change {
                Change::Put(record) => {
                    let mut value = vec![VERSION];
                    let text = postcard::to_extend(&**record, Vec::new());
                    value.extend(text.expect("records are made of what postcard takes"));
                    table.insert(record.key().as_slice(), value.as_slice())?;
                }
                Change::Drop(key) => {
                    table.remove(key.as_slice())?;
                }
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use bruit_core::id::{AuthorId, BulletinId};
    use bruit_core::letters::{LetterId, Purpose};
    use bruit_core::time::Wall;
    use bytes::Bytes;

    use super::super::LetterState;
    use super::super::records::{Outgoing, Owed};
    use super::*;
    use crate::store::faults::Faulty;

    fn outgoing(number: u8, state: LetterState) -> Record {
        Record::Out(Outgoing {
            id: LetterId::from_bytes([number; 32]),
            purpose: Purpose::Message,
            from: AuthorId::from_bytes([1; 32]),
            to: AuthorId::from_bytes([2; 32]),
            body: Bytes::from_static(b"hello"),
            created: Wall::from_millis(3),
            ttl: std::time::Duration::from_secs(4),
            attempts: 1,
            until: Wall::from_millis(5),
            sealed_to: None,
            acknowledgements: vec![BulletinId::from_bytes([6; 32])],
            state,
        })
    }

    #[test]
    fn what_is_written_is_there_when_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let (cabinet, records) = Cabinet::open(Some(folder.path())).unwrap();
        assert_eq!(records, []);
        let owed = Record::Owed(Owed {
            id: BulletinId::from_bytes([7; 32]),
            due: Wall::from_millis(8),
            bytes: Bytes::from_static(b"bulletin"),
        });
        let queued = outgoing(1, LetterState::Queued);
        let put = |record: &Record| Change::put(record.clone());
        cabinet.write(&[put(&queued), put(&owed)]).unwrap();
        let published = outgoing(1, LetterState::Published);
        let changes = [put(&published), Change::drop(&owed)];
        cabinet.write(&changes).unwrap();
        drop(cabinet);
        let (_cabinet, records) = Cabinet::open(Some(folder.path())).unwrap();
        assert_eq!(records, [published]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let metadata = std::fs::metadata(folder.path().join(FILE)).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn what_found_no_room_is_kept_when_there_is_some_again() {
        let disk = Faulty::created();
        let backend = disk.clone();
        let opens: Box<Opens> =
            Box::new(move |_| Ok(Database::builder().create_with_backend(backend.clone())?));
        let (cabinet, _) = Cabinet::open_with(Path::new("letters"), opens).unwrap();
        let letters: Vec<_> = (0..200)
            .map(|number| outgoing(number, LetterState::Queued))
            .collect();
        let changes: Vec<_> = letters.iter().cloned().map(Change::put).collect();
        cabinet.write(&changes[..1]).unwrap();
        disk.fill_up();
        for _ in 0..2 {
            let error = cabinet.write(&changes).unwrap_err();
            assert!(error.is_full(), "{error}");
        }
        disk.make_room();
        cabinet.write(&changes).unwrap();
        drop(cabinet);
        let database = Database::builder().create_with_backend(disk).unwrap();
        assert_eq!(read(&database).unwrap(), letters);
    }

    #[test]
    fn cabinet_without_a_folder_keeps_nothing() {
        let (cabinet, _) = Cabinet::open(None).unwrap();
        let change = Change::put(outgoing(1, LetterState::Queued));
        cabinet.write(&[change]).unwrap();
    }

    #[test]
    fn record_that_cannot_be_read_costs_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (cabinet, _) = Cabinet::open(Some(folder.path())).unwrap();
        let good = outgoing(1, LetterState::Queued);
        cabinet.write(&[Change::put(good.clone())]).unwrap();
        let database = cabinet.place.as_ref().unwrap().database.lock().unwrap();
        let transaction = database.as_ref().unwrap().begin_write().unwrap();
        for value in [&[][..], &[1], &[9, 9], &[1, 0xff, 0xff]] {
            let mut table = transaction.open_table(RECORDS).unwrap();
            let key = [&[0], value].concat();
            table.insert(key.as_slice(), value).unwrap();
        }
        transaction.commit().unwrap();
        drop(database);
        drop(cabinet);
        let (_cabinet, records) = Cabinet::open(Some(folder.path())).unwrap();
        assert_eq!(records, [good]);
    }
}
