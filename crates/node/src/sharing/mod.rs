//! What nodes tell each other of their links and of the way bulletins took, so that somebody can see the
//! whole network and not his own links alone. Nobody tells anything unless its operator allowed it.
//!
//! Who wants to see it asks its neighbours. The question floods over the links of those who share, each
//! notes from whom it had it first, answers with what it sees itself, and passes the answers of those
//! behind it back the same way: a round costs each node a frame for each link and an answer for each node
//! behind it, and only while somebody looks. Rounds and answers ride in application frames of
//! [`FRAME_KIND`]; they are not signed, and what they say is as good as the nodes between.
//!
//! - [`waves`] is what this node notes of each bulletin that comes;
//! - [`frames`] are the question and the answer;
//! - [`rounds`] passes on what others ask and answer;
//! - [`gathered`] is what was answered to this node;
//! - [`scout`] asks and listens, and answers whoever looks.

mod frames;
mod gathered;
mod rounds;
mod scout;
mod waves;

pub(crate) use self::scout::{Post, Scout, Scouting, Sight, millis};
pub(crate) use self::waves::{Delivery, Waves};

/// The kind of the frames; applications that ride along take another.
pub(crate) const FRAME_KIND: u8 = 254;
