//! Where the API listens: a Unix socket, or a port of the loopback interface. Nowhere else: whoever
//! reaches the API publishes in this node's name.
//!
//! A socket's name has at most 107 bytes (103 on macOS). Longer paths are reached through a symbolic
//! link to their folder in a private temporary folder, which is gone again once the socket is bound
//! or connected.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A place where the API listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket of this path.
    Unix(PathBuf),
    /// A port of the loopback interface.
    Tcp(SocketAddr),
}

/// Why a text is no such place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseEndpointError {
    /// The address is not of the loopback interface.
    #[error("{0} can be reached from other machines, and the API only listens for this one")]
    NotLoopback(SocketAddr),
    /// It is neither form.
    #[error("`{0}` is neither unix:PATH nor 127.0.0.1:PORT")]
    Form(String),
}

impl ParseEndpointError {
    /// What to do about it: the line to write.
    pub fn fix(&self) -> String {
        match self {
            Self::NotLoopback(address) => {
                let port = address.port();
                format!(
                    "under [api] write listen = \"127.0.0.1:{port}\" (or --api 127.0.0.1:{port}), \
                     and reach it from elsewhere with ssh -L {port}:127.0.0.1:{port}"
                )
            }
            Self::Form(_) => {
                "under [api] write listen = \"127.0.0.1:7448\" or listen = \"unix:/run/bruit.sock\""
                    .to_owned()
            }
        }
    }
}

impl FromStr for Endpoint {
    type Err = ParseEndpointError;

    fn from_str(text: &str) -> Result<Self, ParseEndpointError> {
        let form = || ParseEndpointError::Form(text.to_owned());
        match text.strip_prefix("unix:") {
            Some("") => Err(form()),
            Some(path) => Ok(Self::Unix(path.into())),
            None => {
                let address: SocketAddr = text.parse().map_err(|_| form())?;
                let loopback = address.ip().is_loopback();
                let refused = ParseEndpointError::NotLoopback(address);
                loopback.then_some(Self::Tcp(address)).ok_or(refused)
            }
        }
    }
}

impl Endpoint {
    /// Its address, where it is a port.
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => address.fmt(f),
        }
    }
}

/// Connects to the Unix socket at `path`, however long that is.
///
/// # Errors
/// Those of the operating system: `NotFound` when there is no socket, `ConnectionRefused` when
/// nobody listens any more.
#[cfg(unix)]
pub async fn connect_unix(path: &Path) -> io::Result<tokio::net::UnixStream> {
    let short = ShortPath::of(path)?;
    tokio::net::UnixStream::connect(short.path()).await
}

/// Binds a Unix socket at `path`, however long that is, for this user and group (mode 0660). What
/// an earlier process left there is removed.
#[cfg(unix)]
pub(crate) async fn bind_unix(path: &Path) -> io::Result<tokio::net::UnixListener> {
    use std::os::unix::fs::PermissionsExt as _;
    remove_stale(path).await?;
    let short = ShortPath::of(path)?;
    let listener = tokio::net::UnixListener::bind(short.path())?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o660))?;
    Ok(listener)
}

/// Removes a socket nobody listens on. Anything else at `path` stays.
#[cfg(unix)]
async fn remove_stale(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileTypeExt as _;
    let kind = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        found => found?.file_type(),
    };
    if !kind.is_socket() {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the file there is no socket",
        ));
    }
    match connect_unix(path).await {
        Ok(_) => Err(io::ErrorKind::AddrInUse.into()),
        Err(_) => std::fs::remove_file(path),
    }
}

/// A path short enough for a socket's name, valid while this lives.
#[cfg(unix)]
struct ShortPath {
    path: PathBuf,
    _folder: Option<tempfile::TempDir>,
}

#[cfg(unix)]
impl ShortPath {
    /// Most bytes of a socket's name on every Unix.
    const BYTES_MAX: usize = 103;

    fn of(path: &Path) -> io::Result<Self> {
        if path.as_os_str().len() <= Self::BYTES_MAX {
            return Ok(Self {
                path: path.to_owned(),
                _folder: None,
            });
        }
        let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
        let name = path.file_name().ok_or_else(no_name)?;
        let folder = tempfile::Builder::new()
            .prefix("bruit")
            .tempdir_in("/tmp")?;
        let link = folder.path().join("d");
        let parent = std::path::absolute(path.parent().ok_or_else(no_name)?)?;
        std::os::unix::fs::symlink(parent, &link)?;
        Ok(Self {
            path: link.join(name),
            _folder: Some(folder),
        })
    }

    fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_listen() {
        for good in [
            "unix:/run/a.sock",
            "127.0.0.1:7448",
            "[::1]:0",
            "127.8.8.8:1",
        ] {
            assert_eq!(good.parse::<Endpoint>().unwrap().to_string(), good);
        }
        let error = "0.0.0.0:7448".parse::<Endpoint>().unwrap_err();
        assert!(
            error.fix().contains("listen = \"127.0.0.1:7448\""),
            "{}",
            error.fix()
        );
        for wrong in [
            "",
            "unix:",
            "localhost",
            "7448",
            "http://127.0.0.1:1",
            "[::]:7448",
        ] {
            assert!(wrong.parse::<Endpoint>().is_err(), "{wrong}");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn socket_works_under_a_path_longer_than_its_name_may_be() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        for length in [10, 100, 200] {
            let parent = folder.path().join("x".repeat(length));
            std::fs::create_dir(&parent).unwrap();
            let path = parent.join("api.sock");
            let listener = bind_unix(&path).await.unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o660);
            let (_here, accepted) = tokio::join!(connect_unix(&path), listener.accept());
            accepted.unwrap();
            let error = bind_unix(&path).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
            drop(listener);
            bind_unix(&path)
                .await
                .expect("a socket nobody listens on is replaced");
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_file_in_the_way_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("api.sock");
        std::fs::write(&path, "precious").unwrap();
        assert!(bind_unix(&path).await.is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }
}
