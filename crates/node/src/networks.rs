//! Which store of a data folder belongs to which network.
//!
//! The file `networks` has a line for each network the folder was ever used with: the network's id, the
//! store's file, and in words which network that is. The first has `store.redb`. Invariant: no store is
//! ever opened for another network, which would take all it holds for damage.

use std::fs;
use std::path::Path;

use bruit_core::network::Network;
use tracing::{info, warn};

/// Name of the list in the data folder.
const NETWORKS_FILE: &str = "networks";
/// The store of a folder's first network.
pub(crate) const STORE_FILE: &str = "store.redb";

/// The name of the store of `network` in `folder`; takes note of a network that is new there.
pub(crate) fn store_file(folder: &Path, network: &Network) -> String {
    let path = folder.join(NETWORKS_FILE);
    // A folder without a list has one network at most.
    let list = fs::read_to_string(&path).unwrap_or_default();
    let id = network.id().to_string();
    let file = if list
        .lines()
        .next()
        .is_none_or(|first| first.starts_with(&id))
    {
        STORE_FILE.to_owned()
    } else {
        format!("store-{}.redb", &id[..16])
    };
    if !list.lines().any(|line| line.starts_with(&id)) {
        let (name, price) = (network.name().escape_debug(), network.price().get());
        let list = format!("{list}{id} {file} {name} at price {price}\n");
        if !file.eq(STORE_FILE) {
            info!(
                file,
                "another network in this folder gets a store of its own"
            );
        }
        let part = folder.join("networks.new");
        let written = fs::write(&part, list).and_then(|()| fs::rename(&part, &path));
        if let Err(error) = written {
            // The store says by itself what is wrong with the folder.
            warn!(%error, "the list of networks cannot be written");
        }
    }
    file
}

#[cfg(test)]
mod tests {
    use bruit_core::work::Price;

    use super::*;

    #[test]
    fn the_first_network_has_the_store_and_each_other_one_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name, price| {
            let network = Network::new(name, Price::new(price), None);
            store_file(folder.path(), &network)
        };
        assert_eq!(file("one", 0), STORE_FILE);
        let others = [file("two", 0), file("one", 5)];
        assert!(others.iter().all(|file| file != STORE_FILE), "{others:?}");
        assert_ne!(others[0], others[1]);
        assert_eq!([file("two", 0), file("one", 5)], others);
        assert_eq!(file("one", 0), STORE_FILE);
    }
}
