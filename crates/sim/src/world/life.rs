//! A node's lives: how it comes into the world, dies in it, and begins anew.

use std::net::SocketAddr;
use std::sync::Arc;

use bruit_core::engine::Engine;
use bruit_core::event::{Command, Event};
use bruit_core::identity::SecretKey;
use bruit_core::time::Mono;

use super::{Settings, World};
use crate::behaviour::Behaviour;
use crate::clock::WallClock;
use crate::host::{Host, Image};
use crate::plight::Plight;
use crate::terrain::Place;
use crate::wires::End;

/// A node that is to begin a life.
#[derive(Debug)]
pub struct Birth<'a> {
    /// Its number.
    pub number: usize,
    /// Who it is.
    pub key: &'a SecretKey,
    /// Where it listens.
    pub address: SocketAddr,
    /// Where its randomness grows from.
    pub seed: [u8; 32],
    /// The world's settings.
    pub settings: &'a Settings,
}

impl Birth<'_> {
    /// An engine for this node.
    ///
    /// # Panics
    /// When the settings' configuration is not valid.
    pub fn engine(&self) -> Engine {
        let config = self
            .settings
            .config
            .clone()
            .validate()
            .expect("a valid configuration");
        Engine::new(self.key.node_id(), config, self.seed)
    }
}

/// Makes the behaviour of a node at the beginning of each of its lives.
pub(crate) type Maker = Arc<dyn Fn(&Birth<'_>) -> Box<dyn Behaviour> + Send + Sync>;

impl World {
    /// Adds a node; returns its number.
    pub fn add(&mut self) -> usize {
        let number = self.hosts.len();
        let key = SecretKey::from_seed(&self.random());
        let address = address(number);
        let behaviour = self.behaviour(number, &key, address);
        self.numbers.insert(key.node_id(), number);
        self.hosts.push(Host {
            key,
            behaviour,
            place: Place::random(&mut self.rng),
            is_alive: true,
            life: 0,
            links: Vec::new(),
            image: Image::default(),
            wakeup: None,
            uplink_free: Mono::ZERO,
            downlink_free: Mono::ZERO,
            clock: WallClock::default(),
            address,
            plight: Plight::default(),
            verdict: None,
            notices: Vec::new(),
        });
        self.tape_place(number);
        self.feed(number, Event::Addresses(vec![address]));
        number
    }

    fn behaviour(
        &mut self,
        number: usize,
        key: &SecretKey,
        address: SocketAddr,
    ) -> Box<dyn Behaviour> {
        let seed = self.random();
        (self.maker)(&Birth {
            number,
            key,
            address,
            seed,
            settings: &self.settings,
        })
    }

    /// Stops `node` as it is to be stopped: it says goodbye, and all that it wrote is synced.
    pub fn stop(&mut self, node: usize) {
        self.command(node, Command::Shutdown);
        self.hosts[node].image.sync();
        self.kill(node);
    }

    /// Ends `node` without a word, as a power cut does. What it wrote and was not synced is lost.
    pub fn kill(&mut self, node: usize) {
        let host = &mut self.hosts[node];
        host.is_alive = false;
        let lost = host.image.crash(self.now, &self.bulletins);
        host.plight.unkept.extend(lost);
        host.plight.begin_anew();
        host.image.address_book = host.behaviour.address_book();
        let links = std::mem::take(&mut host.links);
        self.tape_life(node, false);
        for link in links {
            let end = End::of(link);
            self.wires.shut(end);
            self.tape_link_down(end);
            self.will_be_silent(end.other());
        }
    }

    /// Starts `node` again with what its store kept.
    pub fn restart(&mut self, node: usize) {
        let (key, address) = (self.hosts[node].key.clone(), self.hosts[node].address);
        let behaviour = self.behaviour(node, &key, address);
        let host = &mut self.hosts[node];
        host.behaviour = behaviour;
        host.is_alive = true;
        host.life += 1;
        host.wakeup = None;
        let left = host.image.left(&self.bulletins);
        self.tape_life(node, true);
        self.feed(node, Event::Restored(Box::new(left)));
        self.feed(node, Event::Addresses(vec![address]));
    }
}

/// Groups of addresses, each 65,536 addresses that one owner is taken to have.
const GROUPS: usize = 22_000;

/// Where node `number` listens: as far as they go in a group of its own, on public addresses.
fn address(number: usize) -> SocketAddr {
    let byte = |value: usize| u8::try_from(value % 256).expect("less than 256");
    let (group, round) = (number % GROUPS, number / GROUPS);
    let octets = [byte(11 + group / 256), byte(group), byte(round), 1];
    SocketAddr::from((octets, 7_447))
}
