//! Why a gateway does not start, or ends.

use std::io;

use crate::inside::InsideError;

/// A gateway that does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GatewayError {
    /// The address cannot be listened on: the user's to mend.
    #[error("the gateway cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// The gateway is told something it cannot do: the user's to mend.
    #[error("{what}")]
    Config {
        /// What is wrong.
        what: String,
        /// What to do about it.
        fix: String,
    },
    /// The bruit side refused or has gone.
    #[error(transparent)]
    Inside(#[from] InsideError),
    /// The gateway's task broke off by a mistake of ours.
    #[error("the gateway broke off by a mistake of its own")]
    Broken,
}

impl GatewayError {
    /// The code in outputs.
    pub fn code(&self) -> &str {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "port_taken"
            }
            Self::Listen { .. } => "cannot_listen",
            Self::Config { .. } => "config",
            Self::Inside(error) => &error.code,
            Self::Broken => "gateway_failed",
        }
    }

    /// What mends it.
    pub fn fix(&self) -> String {
        match self {
            Self::Listen { source, .. } if source.kind() == io::ErrorKind::AddrInUse => {
                "stop the program that uses it, or choose another address".to_owned()
            }
            Self::Listen { .. } => "choose an address of this machine".to_owned(),
            Self::Config { fix, .. } => fix.clone(),
            Self::Inside(error) => error.fix.clone(),
            Self::Broken => "start it again, and report what its log says".to_owned(),
        }
    }
}
