//! Secret bytes as lower-case hexadecimal, which leaves no copies behind.

use zeroize::Zeroizing;

/// The characters of `bytes`, with room for one more.
pub(super) fn encode(bytes: &[u8]) -> Zeroizing<String> {
    // With room for a newline: a growing string would leave its old bytes behind.
    let mut text = Zeroizing::new(String::with_capacity(2 * bytes.len() + 1));
    for byte in bytes {
        for digit in [byte >> 4, byte & 15] {
            text.push(char::from(b"0123456789abcdef"[usize::from(digit)]));
        }
    }
    text
}

/// Reads exactly as many bytes as `bytes` has; nothing when there are others or odd characters.
pub(super) fn decode(text: &[u8], bytes: &mut [u8]) -> Option<()> {
    let (pairs, rest) = text.as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(())
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16)?.try_into().ok()
}
