//! Figures, and what needs a prepared machine. Run with `--ignored`.

use std::time::Instant;

use super::*;

#[test]
#[ignore = "measures: run with --release --nocapture"]
fn measure_writes_and_recovery() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Folder(folder.path().to_owned());
    for (label, count, size, first) in [
        ("256 B", 100_000_u32, 256, 1),
        ("1 KiB", 100_000, 1_024, 100_001),
    ] {
        let (store, _, events) = open_with(&place, StoreOptions::default());
        let started = Instant::now();
        for number in first..first + u64::from(count) {
            let write = Write::Put(bulletin(number, number, size));
            while let Err(error) = store.submit(write.clone()) {
                assert!(matches!(error, StoreError::Backlog { .. }), "{error}");
                std::thread::yield_now();
            }
        }
        let ticket = store.submit(Write::Barrier(1)).unwrap();
        synced(&events, ticket);
        let seconds = started.elapsed().as_secs_f64();
        let stats = store.stats();
        println!(
            "{label}: {:.0} bulletins/s in {} batches",
            f64::from(count) / seconds,
            stats.batches
        );

        let mut pause = Vec::new();
        for number in 0..200 {
            let started = Instant::now();
            let ticket = store
                .submit(Write::Put(bulletin(
                    900_000 + number,
                    900_000 + number,
                    size,
                )))
                .unwrap();
            synced(&events, ticket);
            pause.push(started.elapsed());
        }
        pause.sort_unstable();
        println!(
            "{label}: one alone is stored after {:?} (median), {:?} (p99)",
            pause[100], pause[198]
        );

        // A crash: the file as it is, without a shutdown.
        let crashed = tempfile::tempdir().unwrap();
        std::fs::copy(
            folder.path().join(STORE_FILE),
            crashed.path().join(STORE_FILE),
        )
        .unwrap();
        let started = Instant::now();
        let (_store, recovered, _events) = open_with(
            &Place::Folder(crashed.path().to_owned()),
            StoreOptions::default(),
        );
        println!(
            "{label}: {} rows, {} MiB, recovered after a crash in {:?}",
            recovered.seen.len(),
            std::fs::metadata(folder.path().join(STORE_FILE))
                .unwrap()
                .len()
                >> 20,
            started.elapsed()
        );
        let started = Instant::now();
        store.shutdown().unwrap();
        println!("{label}: shutdown in {:?}", started.elapsed());
    }
}

/// A full disk, on a real file system: `SMALL_DISK` names a folder on one of a few MiB.
#[test]
#[ignore = "needs a small file system in SMALL_DISK"]
fn full_file_system_keeps_what_waits_and_resumes_by_itself() {
    let folder = PathBuf::from(std::env::var("SMALL_DISK").expect("SMALL_DISK names a folder"));
    let ballast = folder.join("ballast");
    std::fs::write(&ballast, vec![1; 4 << 20]).unwrap();
    let place = Place::Folder(folder.clone());
    let (store, recovered, events) = open_with(&place, StoreOptions::default());
    let mut seq = recovered.next_seq;
    let mut put = || {
        let result = store.submit(Write::Put(bulletin(seq, seq, 50_000)));
        seq += 1;
        (seq - 1, result)
    };
    let mut acknowledged = 0;
    loop {
        let (_, result) = put();
        result.unwrap();
        match next(&events) {
            StoreEvent::Synced { .. } => acknowledged += 1,
            StoreEvent::Failed { error, .. } if error.is_full() => break,
            other => panic!("{other:?}"),
        }
    }
    println!("full after {acknowledged} bulletins");
    assert!(matches!(put().1, Err(StoreError::Full { .. })));
    let first = id(recovered.next_seq);
    assert_eq!(
        loaded(&store, &events, first).unwrap().len(),
        50_000,
        "reading goes on"
    );
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(
        events.try_iter().count(),
        0,
        "nothing is said while the disk is full"
    );
    std::fs::remove_file(&ballast).unwrap();
    assert!(matches!(next(&events), StoreEvent::Recovered));
    assert!(matches!(next(&events), StoreEvent::Synced { .. }));
    store.shutdown().unwrap();
    let (_store, recovered, _events) = open_with(&place, StoreOptions::default());
    assert_eq!(recovered.seen.len(), acknowledged + 1);
}
