//! Intake: from bytes somebody sent to values nobody need doubt.

/// A value whose signature (and, for a bulletin, content hash, price, work and time) was checked.
///
/// Intake is the only place that makes one, so a room that takes a `Verified` need not check again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Vouches for `value` in a test of another room.
    #[cfg(test)]
    pub(crate) const fn for_test(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}
