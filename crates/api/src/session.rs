//! The dashboard's door: one-time codes, and the sessions of the browsers that came in with one.
//!
//! Invariant: a code opens once and for ten minutes, a session ends when it was not used for half a
//! day, and there are never more of either than [`CODES_MAX`] and [`SESSIONS_MAX`]. All of it is in
//! memory: a daemon that is started again knows nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use bruit::keys::{KeyError, Secret};

use crate::rate::Bucket;
use crate::token::is_same;

/// How long a code can be used.
pub(crate) const CODE_LIFE: Duration = Duration::from_mins(10);
/// How long a session lasts that nobody uses.
const SESSION_LIFE: Duration = Duration::from_hours(12);
/// Most codes that are not used yet; the oldest goes.
const CODES_MAX: usize = 16;
/// Most sessions; the one that was used longest ago goes.
const SESSIONS_MAX: usize = 64;
/// The cookie's name.
const COOKIE: &str = "bruit_session";
/// Most sessions in one cookie.
const KEYS_MAX: usize = 4;
/// Between the sessions in a cookie.
const SEPARATOR: char = '.';

/// Codes and sessions.
#[derive(Debug, Default)]
pub(crate) struct Doors(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Each with the moment it was made.
    codes: Vec<(Secret, Instant)>,
    sessions: Vec<Session>,
}

#[derive(Debug)]
struct Session {
    key: Secret,
    used: Instant,
    /// What it has left of its requests.
    bucket: Arc<Bucket>,
}

impl Doors {
    /// A new code.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub(crate) fn code(&self) -> Result<Secret, KeyError> {
        let code = Secret::random()?;
        let mut inner = self.inner();
        if inner.codes.len() >= CODES_MAX {
            inner.codes.remove(0);
        }
        inner.codes.push((code.clone(), Instant::now()));
        Ok(code)
    }

    /// Takes a code for a new session; none when it is no code any more.
    ///
    /// # Errors
    /// When the operating system has no randomness.
    pub(crate) fn enter(&self, code: &str) -> Result<Option<Secret>, KeyError> {
        self.enter_at(code, Instant::now())
    }

    fn enter_at(&self, code: &str, now: Instant) -> Result<Option<Secret>, KeyError> {
        let mut inner = self.inner();
        inner
            .codes
            .retain(|(_, made)| now.saturating_duration_since(*made) < CODE_LIFE);
        let Some(at) = inner.codes.iter().position(|(own, _)| is_same(own, code)) else {
            return Ok(None);
        };
        inner.codes.remove(at);
        let session = Secret::random()?;
        if inner.sessions.len() >= SESSIONS_MAX {
            let used = |at: &usize| inner.sessions.get(*at).map(|session| session.used);
            let oldest = (0..inner.sessions.len()).min_by_key(used);
            oldest.map(|oldest| inner.sessions.remove(oldest));
        }
        inner.sessions.push(Session {
            key: session.clone(),
            used: now,
            bucket: Arc::default(),
        });
        Ok(Some(session))
    }

    /// The session in the request's cookie, which is used with that: what it has left of its requests.
    pub(crate) fn session(&self, headers: &HeaderMap) -> Option<Arc<Bucket>> {
        self.session_at(headers, Instant::now())
    }

    fn session_at(&self, headers: &HeaderMap, now: Instant) -> Option<Arc<Bucket>> {
        let mut inner = self.inner();
        inner
            .sessions
            .retain(|session| now.saturating_duration_since(session.used) < SESSION_LIFE);
        let keys = keys(headers);
        let is_named = |session: &&mut Session| keys.iter().any(|key| is_same(&session.key, key));
        let session = inner.sessions.iter_mut().find(is_named)?;
        session.used = now;
        Some(Arc::clone(&session.bucket))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a request has a session's cookie, valid or not.
pub(crate) fn is_offered(headers: &HeaderMap) -> bool {
    !keys(headers).is_empty()
}

/// The sessions in the request's cookies.
fn keys(headers: &HeaderMap) -> Vec<&str> {
    let lines = headers.get_all(header::COOKIE).iter();
    let pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(name, _)| *name == COOKIE)
        .flat_map(|(_, value)| value.split(SEPARATOR))
        .filter(|key| key.len() == 64 && key.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .take(KEYS_MAX)
        .collect()
}

/// What gives `session` to a browser. Browsers keep one cookie for all ports of a host, so those of
/// other daemons on this machine stay beside it.
pub(crate) fn cookie(session: &Secret, asked: &HeaderMap) -> HeaderValue {
    let own = session.to_hex();
    let mut value = own.to_string();
    for other in keys(asked).into_iter().take(KEYS_MAX - 1) {
        value.push(SEPARATOR);
        value.push_str(other);
    }
    let text = format!("{COOKIE}={value}; HttpOnly; SameSite=Strict; Path=/");
    let mut value = HeaderValue::from_str(&text).expect("hexadecimal digits and plain words");
    value.set_sensitive(true);
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(cookie: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_str(cookie).unwrap());
        headers
    }

    /// The value a browser sends back.
    fn pair(cookie: &HeaderValue) -> String {
        let text = cookie.to_str().unwrap();
        text.split(';').next().unwrap().to_owned()
    }

    #[test]
    fn a_code_opens_once_and_for_ten_minutes() {
        let doors = Doors::default();
        let code = doors.code().unwrap().to_hex().to_string();
        assert!(doors.enter("00").unwrap().is_none());
        assert!(doors.enter("").unwrap().is_none());
        assert!(doors.enter(&code).unwrap().is_some());
        assert!(doors.enter(&code).unwrap().is_none());
        let late = doors.code().unwrap().to_hex().to_string();
        let then = Instant::now() + CODE_LIFE;
        assert!(doors.enter_at(&late, then).unwrap().is_none());
    }

    #[test]
    fn a_session_lasts_while_it_is_used() {
        let doors = Doors::default();
        let code = doors.code().unwrap().to_hex().to_string();
        let session = doors.enter(&code).unwrap().unwrap();
        let headers = with(&pair(&cookie(&session, &HeaderMap::new())));
        let hour = Duration::from_hours(1);
        let start = Instant::now();
        let admits = |headers: &HeaderMap, at| doors.session_at(headers, at).is_some();
        assert!(admits(&headers, start + hour * 11));
        assert!(admits(&headers, start + hour * 22));
        assert!(!admits(&headers, start + hour * 35));
        assert!(!admits(&with("bruit_session=00"), start));
        assert!(!admits(&HeaderMap::new(), start));
    }

    #[test]
    fn two_daemons_of_a_machine_share_a_cookie() {
        let (one, two) = (Doors::default(), Doors::default());
        let mut asked = HeaderMap::new();
        for doors in [&one, &two] {
            let code = doors.code().unwrap().to_hex().to_string();
            let session = doors.enter(&code).unwrap().unwrap();
            asked = with(&pair(&cookie(&session, &asked)));
        }
        assert!(one.session(&asked).is_some() && two.session(&asked).is_some());
    }

    #[test]
    fn codes_and_sessions_are_bounded() {
        let doors = Doors::default();
        let first = doors.code().unwrap().to_hex().to_string();
        for _ in 0..SESSIONS_MAX * 2 {
            let code = doors.code().unwrap().to_hex().to_string();
            doors.enter(&code).unwrap().unwrap();
        }
        for _ in 0..CODES_MAX {
            doors.code().unwrap();
        }
        assert!(doors.enter(&first).unwrap().is_none());
        assert_eq!(doors.inner().codes.len(), CODES_MAX);
        assert_eq!(doors.inner().sessions.len(), SESSIONS_MAX);
    }
}
