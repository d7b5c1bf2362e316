//! Small values as people write them, in the API, the command line and the configuration alike.

use std::fmt::Write as _;
use std::time::Duration;

use bruit::Wait;

/// What [`duration`] reads, as a pattern.
pub const DURATION_PATTERN: &str = "^([0-9]+(ms|s|m|h|d))+$";
/// What [`wait`] reads, as a pattern.
pub const WAIT_PATTERN: &str = "^(accepted|stored|spread:[1-9][0-9]*)$";

/// Why a text is no duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no duration: write it like 500ms, 10s, 5m, 1h30m or 28d")]
pub struct ParseDurationError {
    text: String,
}

/// Reads a duration such as `500ms`, `10s`, `1h30m` or `28d`: whole numbers, each with its unit.
///
/// # Errors
/// When there is no number, no unit, an unknown unit, or too much time.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # use bruit_api::text::duration;
/// assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5_400)));
/// assert!(duration("90").is_err());
/// ```
pub fn duration(text: &str) -> Result<Duration, ParseDurationError> {
    let wrong = || ParseDurationError {
        text: text.to_owned(),
    };
    let mut total = Duration::ZERO;
    let mut rest = text;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| !c.is_ascii_digit());
        let (unit, after) = split_where(after, |c| c.is_ascii_digit());
        let part = number.parse().ok().and_then(|count| span(count, unit));
        total = part
            .and_then(|part| total.checked_add(part))
            .ok_or_else(wrong)?;
        rest = after;
    }
    if text.is_empty() {
        Err(wrong())
    } else {
        Ok(total)
    }
}

fn split_where(text: &str, end: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(end).unwrap_or(text.len()))
}

fn span(count: u64, unit: &str) -> Option<Duration> {
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(count)),
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return None,
    };
    count.checked_mul(seconds).map(Duration::from_secs)
}

/// Writes `bytes` in lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing into a text cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Why a text is no durability word.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is none of accepted, stored and spread:K with K from 1")]
pub struct ParseWaitError {
    text: String,
}

/// Reads what a publisher waits for: `accepted`, `stored` or `spread:K`.
///
/// # Errors
/// When it is none of the three.
pub fn wait(text: &str) -> Result<Wait, ParseWaitError> {
    let wrong = || ParseWaitError {
        text: text.to_owned(),
    };
    match text {
        "accepted" => Ok(Wait::Accepted),
        "stored" => Ok(Wait::Stored),
        _ => {
            let count = text.strip_prefix("spread:").ok_or_else(wrong)?;
            let count = count.parse().ok().filter(|count| *count > 0);
            count.map(Wait::Spread).ok_or_else(wrong)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_number_and_a_unit_each() {
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        assert_eq!(
            duration("1d2h3m4s5ms"),
            Ok(Duration::from_millis(93_784_005))
        );
        for wrong in [
            "",
            "5",
            "s",
            "5 s",
            "-5s",
            "1.5h",
            "5w",
            "s5",
            "99999999999999999999s",
        ] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        let most = format!("{}d", u64::MAX);
        assert!(duration(&most).is_err());
    }

    #[test]
    fn waiting_has_three_words() {
        assert!(matches!(wait("accepted"), Ok(Wait::Accepted)));
        assert!(matches!(wait("stored"), Ok(Wait::Stored)));
        assert!(matches!(wait("spread:3"), Ok(Wait::Spread(3))));
        for wrong in ["", "spread", "spread:", "spread:0", "spread:-1", "Stored"] {
            assert!(wait(wrong).is_err(), "{wrong}");
        }
    }
}
