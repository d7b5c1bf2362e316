//! What the data folder keeps, and what it refuses.

use std::fs;
use std::path::Path;

use super::folder::{AUTHORS_FOLDER, LETTER_KEY_FILE, NODE_KEY_FILE};
use super::secret::SECRET_FILE_BYTES;
use super::*;

fn folder() -> (tempfile::TempDir, DataFolder) {
    let parent = tempfile::tempdir().unwrap();
    let folder = DataFolder::open(parent.path().join("data")).unwrap();
    (parent, folder)
}

#[cfg(unix)]
fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[cfg(unix)]
fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn secrets_are_made_once_and_kept() {
    let (_parent, folder) = folder();
    let (node, token) = (folder.node_key().unwrap(), folder.token().unwrap());
    assert_ne!(node, token);
    assert_eq!(folder.node_key().unwrap(), node);
    assert_eq!(folder.token().unwrap(), token);
    let text = fs::read_to_string(folder.path().join(NODE_KEY_FILE)).unwrap();
    assert_eq!(text, format!("{}\n", *node.to_hex()));
    assert_eq!(text.len(), SECRET_FILE_BYTES);
    assert_eq!(
        fs::read_dir(folder.path()).unwrap().count(),
        2,
        "nothing temporary stays"
    );
}

#[cfg(unix)]
#[test]
fn files_and_folders_are_for_their_owner_alone() {
    let (_parent, folder) = folder();
    folder.node_key().unwrap();
    folder.letter_key().unwrap();
    folder.author(DEFAULT_AUTHOR).unwrap();
    assert_eq!(mode(&folder.path().join(LETTER_KEY_FILE)), 0o600);
    assert_eq!(mode(folder.path()), 0o700);
    assert_eq!(mode(&folder.path().join(AUTHORS_FOLDER)), 0o700);
    assert_eq!(mode(&folder.path().join(NODE_KEY_FILE)), 0o600);
    assert_eq!(mode(&folder.path().join("authors/default.key")), 0o600);
}

#[cfg(unix)]
#[test]
fn key_others_may_read_is_refused_with_the_command_that_mends_it() {
    let (_parent, folder) = folder();
    let key = folder.node_key().unwrap();
    let path = folder.path().join(NODE_KEY_FILE);
    for wide in [0o644, 0o640, 0o620, 0o601] {
        set_mode(&path, wide);
        let error = folder.node_key().unwrap_err();
        assert!(
            matches!(error, KeyError::TooOpen { mode, .. } if mode == wide),
            "{error}"
        );
        assert!(
            error
                .fix()
                .contains(&format!("chmod 600 {}", path.display()))
        );
    }
    set_mode(&path, 0o600);
    assert_eq!(folder.node_key().unwrap(), key, "nothing was overwritten");
}

#[test]
fn damaged_key_is_refused_without_its_text_and_left_alone() {
    let (_parent, folder) = folder();
    let key = folder.node_key().unwrap();
    let path = folder.path().join(NODE_KEY_FILE);
    let (hex, bad) = (key.to_hex(), "z".repeat(64));
    for text in [
        "",
        "\n",
        &hex[..63],
        &format!("{}0", *hex),
        &bad,
        &"0".repeat(1_000),
    ] {
        fs::write(&path, text).unwrap();
        let error = folder.node_key().unwrap_err();
        let malformed = matches!(error, KeyError::Length { .. } | KeyError::NotHex { .. });
        assert!(malformed, "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        let told = format!("{error} {error:?} {}", error.fix());
        assert!(
            !told.contains(&hex[..16]),
            "an error text holds part of a key"
        );
    }
}

#[test]
fn path_that_is_no_file_is_refused() {
    let (parent, folder) = folder();
    fs::create_dir(folder.path().join(NODE_KEY_FILE)).unwrap();
    assert!(matches!(folder.node_key(), Err(KeyError::NotAFile { .. })));
    let file = parent.path().join("file");
    fs::write(&file, "x").unwrap();
    assert!(matches!(
        DataFolder::open(&file),
        Err(KeyError::NotADirectory { .. })
    ));
    assert!(DataFolder::open(file.join("below")).is_err());
}

#[cfg(unix)]
#[test]
fn folder_that_takes_no_files_is_named() {
    let (_parent, folder) = folder();
    set_mode(folder.path(), 0o500);
    // Root may write everywhere.
    if fs::write(folder.path().join("probe"), "x").is_err() {
        match folder.node_key() {
            Err(KeyError::Permission { path }) => assert_eq!(path, folder.path()),
            other => panic!("{other:?}"),
        }
    }
    set_mode(folder.path(), 0o700);
}

#[test]
fn author_keys_are_made_listed_exported_and_imported() {
    let (_parent, first) = folder();
    let (_other, second) = folder();
    assert_eq!(first.authors().unwrap(), []);
    let default = first.author(DEFAULT_AUTHOR).unwrap().author_id();
    let alice = first.new_author("alice").unwrap();
    let expected = [
        alice.clone(),
        AuthorEntry {
            name: DEFAULT_AUTHOR.to_owned(),
            id: default,
            protected: false,
        },
    ];
    assert_eq!(first.authors().unwrap(), expected);

    let text = first.author("alice").unwrap().to_hex();
    let imported = second
        .import_author("a.2", &Secret::from_hex(&text).unwrap())
        .unwrap();
    assert_eq!(imported.id, alice.id);
    assert!(matches!(
        second.new_author("a.2"),
        Err(KeyError::Exists { .. })
    ));
    assert_eq!(
        second.author("a.2").unwrap().author_id(),
        alice.id,
        "nothing was overwritten"
    );
    assert!(matches!(
        second.author("bob"),
        Err(KeyError::Missing { .. })
    ));
    for name in ["", ".", "..", "../node", "a/b", "a b", "ä", &"a".repeat(65)] {
        assert!(
            matches!(second.new_author(name), Err(KeyError::BadName { .. })),
            "{name}"
        );
    }
}

#[test]
fn secrets_survive_hexadecimal_and_are_never_printed() {
    let secret = Secret::from_bytes([0xab; 32]);
    assert_eq!(*secret.to_hex(), "ab".repeat(32));
    assert_eq!(
        Secret::from_hex(&format!(" {}\n", *secret.to_hex())).unwrap(),
        secret
    );
    for text in ["", "ab", &"ab".repeat(33), &"g".repeat(64)] {
        let error = Secret::from_hex(text).unwrap_err();
        assert!(text.is_empty() || !error.to_string().contains(&text.repeat(2)));
    }
    assert_eq!(format!("{secret:?}"), "Secret(..)");
}

#[test]
fn node_id_is_the_public_key() {
    // RFC 8032, section 7.1, test 1.
    let seed = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    let public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
    let secret = Secret::from_hex(seed).unwrap();
    assert_eq!(secret.node_id().to_string(), public);
    assert_eq!(secret.author_id().to_string(), public);
}

fn passphrase(text: &str) -> Passphrase {
    Passphrase::new(text).unwrap()
}

#[test]
fn a_protected_key_is_listed_and_signs_only_for_who_has_its_passphrase() {
    let (_parent, folder) = folder();
    let plain = folder.author(DEFAULT_AUTHOR).unwrap();
    let key = KeyName::Author(DEFAULT_AUTHOR.to_owned());
    let (right, wrong) = (passphrase("right"), passphrase("wrong"));
    assert!(matches!(
        folder.unprotect(&key, &right),
        Err(KeyError::NotProtected { .. })
    ));
    folder.protect(&key, &right).unwrap();

    let path = folder.path().join("authors/default.key");
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        !text.contains(&*plain.to_hex()),
        "the secret is in the file"
    );
    #[cfg(unix)]
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    let listed = folder.authors().unwrap();
    assert_eq!(listed[0].id, plain.author_id());
    assert!(listed[0].protected);

    let locked = folder.author(DEFAULT_AUTHOR).unwrap_err();
    assert!(matches!(&locked, KeyError::Locked { key: k } if *k == key));
    assert!(
        locked.fix().contains("keys unlock default"),
        "{}",
        locked.fix()
    );
    let refused = folder.secret(&key, Some(&wrong)).unwrap_err();
    assert!(matches!(refused, KeyError::WrongPassphrase { .. }));
    assert!(matches!(
        folder.protect(&key, &right),
        Err(KeyError::Protected { .. })
    ));
    assert!(matches!(
        folder.unprotect(&key, &wrong),
        Err(KeyError::WrongPassphrase { .. })
    ));
    assert_eq!(folder.secret(&key, Some(&right)).unwrap(), plain);
    folder.unprotect(&key, &right).unwrap();
    assert_eq!(folder.author(DEFAULT_AUTHOR).unwrap(), plain);
}

#[test]
fn a_protected_key_moves_as_it_is() {
    let (_parent, first) = folder();
    let (_other, second) = folder();
    let secret = Secret::random().unwrap();
    let right = passphrase("right");
    let sealed = Stored::new(secret.clone(), Some(&right)).unwrap();
    first.keep_author("alice", &sealed).unwrap();
    let text = fs::read_to_string(first.path().join("authors/alice.key")).unwrap();
    let read = Stored::parse(&text, Path::new("-")).unwrap();
    let kept = second.keep_author("a", &read).unwrap();
    assert!(kept.protected);
    let key = KeyName::Author("a".to_owned());
    assert_eq!(second.secret(&key, Some(&right)).unwrap(), secret);
    let key = KeyName::Node;
    assert!(!second.stored(&key).unwrap().is_protected(), "made plain");
    second.protect(&key, &right).unwrap();
    assert!(
        second
            .node_key()
            .unwrap_err()
            .fix()
            .contains("--passphrase-file")
    );
    let damaged = Stored::parse(&text[..100], Path::new("x.key")).unwrap_err();
    assert!(damaged.to_string().contains("x.key"), "{damaged}");
    let newer = Stored::parse(&text.replace("key-1", "key-2"), Path::new("x.key"));
    assert!(newer.unwrap_err().fix().contains("newer"));
}
