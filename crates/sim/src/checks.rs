//! Signature checks, each done once: a check is a pure function, whose answer is remembered with its question.

use std::collections::BTreeMap;

use bruit_core::event::Check;

/// The answers so far, by signature: as good as no two questions share one, and to compare two questions takes
/// a twentieth of hashing one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Checks {
    answers: BTreeMap<[u8; 64], Vec<(Box<Check>, bool)>>,
    bytes: usize,
}

impl Checks {
    /// Bytes that are remembered. A bulletin is checked by everybody within a second or so.
    const BYTES_MAX: usize = 64 << 20;
    /// Of them, what a question takes beside its texts.
    const OVERHEAD_BYTES: usize = 400;

    pub(crate) fn holds(&mut self, check: Box<Check>) -> bool {
        if self.bytes >= Self::BYTES_MAX {
            self.answers.clear();
            self.bytes = 0;
        }
        let answers = self.answers.entry(*check.signature.as_bytes()).or_default();
        if let Some((_, good)) = answers.iter().find(|(asked, _)| *asked == check) {
            return *good;
        }
        let good = check.holds();
        let content = check
            .content
            .as_ref()
            .map_or(0, |(content, _)| content.len());
        self.bytes += check.message.len() + content + Self::OVERHEAD_BYTES;
        answers.push((check, good));
        good
    }
}
