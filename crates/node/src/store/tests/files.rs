//! Large contents: kept with their manifests, gone with them, and nothing said to be there that is not.

use bruit_core::large::{Manifest, Outline, Piece};
use bruit_core::wire::encode_to_bytes;

use super::super::faults::{Operation, Platter};
use super::*;

/// A content of five chunks, as the store gets it.
fn pieces(salt: u8) -> (Manifest, Vec<Bytes>) {
    let content = vec![salt; 20_000];
    let mut outline = Outline::new(20_000).unwrap();
    content.chunks(4_096).for_each(|chunk| outline.add(chunk));
    let tree = outline.finish().unwrap();
    let piece = |(index, bytes): (u32, &[u8])| {
        let piece: Piece = tree.piece(index, Bytes::copy_from_slice(bytes));
        encode_to_bytes(&piece)
    };
    let pieces = (0..).zip(content.chunks(4_096)).map(piece).collect();
    (*tree.manifest(), pieces)
}

fn submit(store: &Store, number: u64, chunks: &[u32]) -> u64 {
    let (manifest, pieces) = pieces(u8::try_from(number).unwrap());
    let id = id(number);
    let mut ticket = store.submit(Write::File { id, manifest }).unwrap();
    for index in chunks {
        let piece = pieces[usize::try_from(*index).unwrap()].clone();
        let index = *index;
        ticket = store.submit(Write::Chunk { id, index, piece }).unwrap();
    }
    ticket
}

fn chunk(store: &Store, number: u64, index: u32) -> Option<Bytes> {
    block_on(store.chunk(id(number), index)).unwrap()
}

#[test]
fn chunks_are_read_as_soon_as_they_are_taken_and_after_a_restart() {
    let (_folder, places) = places();
    for place in places {
        let (store, _, events) = open(&place);
        submit(&store, 1, &[0, 3]);
        let last = store.submit(Write::Put(bulletin(1, 1, 200))).unwrap();
        let (manifest, pieces) = pieces(1);
        assert_eq!(chunk(&store, 1, 3).as_ref(), Some(&pieces[3]));
        synced(&events, last);
        assert_eq!(chunk(&store, 1, 3).as_ref(), Some(&pieces[3]));
        assert_eq!(chunk(&store, 1, 1), None);
        store.load_chunk(id(1), 0).unwrap();
        let loaded = loop {
            match next(&events) {
                StoreEvent::ChunkLoaded { piece, .. } => break piece,
                StoreEvent::Synced { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(loaded.as_ref(), Some(&pieces[0]));
        store.shutdown().unwrap();
        if place == Place::Ephemeral {
            continue;
        }
        let (store, recovered, _) = open(&place);
        let [file] = recovered.files.as_slice() else {
            panic!("{:?}", recovered.files);
        };
        assert_eq!((file.id, file.manifest), (id(1), manifest));
        let there: Vec<u32> = (0..5).filter(|index| file.have.has(*index)).collect();
        assert_eq!(there, [0, 3]);
        let size = recovered.seen[0].held.map(|held| held.size);
        assert_eq!(size, Some(20_000), "a manifest counts as the whole");
        assert_eq!(chunk(&store, 1, 3).as_ref(), Some(&pieces[3]));
    }
}

#[test]
fn a_content_goes_with_its_manifest_and_no_other_does() {
    let (_folder, places) = places();
    for place in places {
        let (store, _, events) = open(&place);
        for number in [1, 2, 3] {
            submit(&store, number, &[0, 1, 4]);
            store
                .submit(Write::Put(bulletin(number, number, 200)))
                .unwrap();
        }
        store.submit(Write::Evict { id: id(1) }).unwrap();
        let expires = bulletin(2, 2, 0).expires;
        let ids = vec![(id(2), expires)];
        let last = store.submit(Write::Purge { ids }).unwrap();
        synced(&events, last);
        // What comes too late is not kept.
        let (_, pieces) = pieces(1);
        let late = Write::Chunk {
            id: id(1),
            index: 2,
            piece: pieces[2].clone(),
        };
        let last = store.submit(late).unwrap();
        synced(&events, last);
        for number in [1, 2] {
            for index in [0, 1, 2, 4] {
                assert_eq!(chunk(&store, number, index), None, "{number} {index}");
            }
        }
        assert!(chunk(&store, 3, 4).is_some());
        store.shutdown().unwrap();
    }
}

#[test]
fn a_body_that_moves_to_another_number_keeps_its_chunks() {
    let (_folder, places) = places();
    for place in places {
        let (store, _, events) = open(&place);
        submit(&store, 1, &[2]);
        store.submit(Write::Put(bulletin(1, 1, 200))).unwrap();
        let last = store.submit(Write::Put(bulletin(1, 2, 200))).unwrap();
        synced(&events, last);
        assert!(chunk(&store, 1, 2).is_some());
        store.shutdown().unwrap();
    }
}

#[test]
fn chunks_whose_manifest_never_came_are_gone_after_a_restart() {
    let (_folder, [place, _]) = places();
    let (store, _, events) = open(&place);
    let last = submit(&store, 1, &[0, 1]);
    synced(&events, last);
    store.shutdown().unwrap();
    let (store, recovered, _) = open(&place);
    assert_eq!(recovered.files, []);
    assert_eq!(chunk(&store, 1, 0), None);
}

#[test]
fn a_store_without_room_for_contents_is_opened_and_takes_some() {
    let (folder, [place, _]) = places();
    let (store, _, events) = open(&place);
    let last = store.submit(Write::Put(bulletin(1, 1, 200))).unwrap();
    synced(&events, last);
    store.shutdown().unwrap();
    let database = redb::Database::open(folder.path().join(STORE_FILE)).unwrap();
    let transaction = database.begin_write().unwrap();
    for table in ["files", "chunks"] {
        let handle = transaction.list_tables().unwrap();
        let mut tables = handle.filter(|other| redb::TableHandle::name(other) == table);
        let table = tables.next().expect("it is there");
        assert!(transaction.delete_table(table).unwrap());
    }
    transaction.commit().unwrap();
    drop(database);
    let (store, recovered, events) = open(&place);
    assert_eq!(recovered.seen.len(), 1);
    submit(&store, 1, &[0]);
    let last = store.submit(Write::Barrier(1)).unwrap();
    synced(&events, last);
    assert!(chunk(&store, 1, 0).is_some());
}

/// Whatever a power cut leaves: each bit stands for a chunk that is there and whole, and what was synced is.
#[test]
fn power_cut_at_any_operation_leaves_no_bit_without_its_chunk() {
    let mut dice = Dice::new(3);
    let faulty = Faulty::created();
    let (sender, events) = channel();
    let said = faulty.clone();
    let sink: Events = Arc::new(move |event| {
        if let StoreEvent::Synced { through, .. } = &event {
            said.say(*through);
        }
        sender.send(event).ok();
    });
    let (store, _) = Store::open_medium(Box::new(faulty.clone()), None, options(), sink).unwrap();
    // Each content: room, manifest, five chunks.
    let mut last = 0;
    for number in 1..=6 {
        submit(&store, number, &[]);
        store
            .submit(Write::Put(bulletin(number, number, 100)))
            .unwrap();
        last = submit(&store, number, &[0, 1, 2, 3, 4]);
        synced(&events, last);
    }
    store.shutdown().unwrap();
    let mut platter = Platter::new(Faulty::created().bytes());
    let mut safe = 0;
    for operation in &faulty.log() {
        let image = platter.cut(|| dice.below(2) == 0);
        let (disk, recovered) =
            Disk::open(Box::new(Faulty::with_bytes(image)), &options()).unwrap();
        let whole = recovered.files.iter().filter(|file| file.have.is_full());
        assert!(whole.count() >= usize::try_from(safe / 8).unwrap());
        for file in &recovered.files {
            for index in 0..5 {
                let piece = disk.chunk(&file.id, index).unwrap();
                assert_eq!(piece.is_some(), file.have.has(index), "{index}");
                let piece = piece.map(|bytes| Piece::decode(&bytes).unwrap());
                assert!(piece.is_none_or(|piece| piece.holds(&file.manifest, index)));
            }
        }
        platter.apply(operation);
        if let Operation::Said(through) = operation {
            safe = *through;
        }
    }
    assert_eq!(safe, last);
}

/// Chunks of 16 KiB took two times what they are: a proof made each longer than four pages.
#[test]
fn chunks_take_little_more_than_they_are() {
    for (total, size) in [(4 << 20, 16_384), (200_000, 4_096)] {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::Folder(folder.path().to_owned());
        let (store, _, events) = open_with(&place, StoreOptions::default());
        let content: Vec<u8> = (0..total).map(|at: u32| at.to_be_bytes()[3]).collect();
        let mut outline = Outline::new(total).unwrap();
        content.chunks(size).for_each(|chunk| outline.add(chunk));
        let tree = outline.finish().unwrap();
        let manifest = *tree.manifest();
        let id = id(1);
        store.submit(Write::File { id, manifest }).unwrap();
        let all: Vec<_> = (0..)
            .zip(content.chunks(size))
            .map(|(index, bytes)| {
                encode_to_bytes(&tree.piece(index, Bytes::copy_from_slice(bytes)))
            })
            .collect();
        for (index, piece) in (0..).zip(&all) {
            let piece = piece.clone();
            store.submit(Write::Chunk { id, index, piece }).unwrap();
        }
        let last = store.submit(Write::Put(bulletin(1, 1, 200))).unwrap();
        synced(&events, last);
        store.shutdown().unwrap();
        let len = std::fs::metadata(folder.path().join(STORE_FILE))
            .unwrap()
            .len();
        println!("{} KiB for {} KiB", len >> 10, total >> 10);
        let (store, _, _events) = open(&place);
        for (index, piece) in (0..).zip(&all) {
            assert_eq!(
                block_on(store.chunk(id, index)).unwrap().as_ref(),
                Some(piece)
            );
        }
        // What is free beside it is that of any small store.
        assert!(len < u64::from(total) * 13 / 10 + (512 << 10), "{len}");
    }
}
