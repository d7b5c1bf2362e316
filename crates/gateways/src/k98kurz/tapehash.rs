//! Tapehash, the proof of work of k98kurz/gossip: a program made of the text runs over a tape made of it.
//!
//! As in the library since its version of 2022-07-07, and in the package of that name. Before, operation 9 was
//! always 0 and those from 10 on were fixed tables; digests differ.

use blake2::{Blake2b512, Blake2s256};
use md5::Md5;
use sha2::{Digest as _, Sha256};
use sha3::digest::{ExtendableOutput as _, Update as _, XofReader as _};
use sha3::{Sha3_256, Sha3_512, Shake128, Shake256};

/// Bytes of the program in gossip.
pub const CODE_BYTES: usize = 64;
/// Cells that one step of the first kind works on, so far apart.
const STRIDE: usize = 16;

/// The digest of the first kind, with a program of `code_bytes`.
pub fn tapehash1(text: &[u8], code_bytes: usize) -> [u8; 32] {
    let code = shake256(text, code_bytes);
    let mut tape = Blake2b512::digest(text).to_vec();
    for byte in code {
        let (op, at) = (byte >> 4, usize::from(byte & 15));
        for cell in (at..at + 4 * STRIDE).step_by(STRIDE) {
            run(&mut tape, op, cell);
        }
    }
    Sha256::digest(&tape).into()
}

/// The digest of the second kind, on a tape of `multiplier` times 32 bytes; none counts as one.
pub fn tapehash2(text: &[u8], multiplier: usize) -> [u8; 32] {
    run_pairs(text, &Blake2b512::digest(text), multiplier)
}

/// The digest of the third kind: the second with a program of `code_bytes`.
pub fn tapehash3(text: &[u8], code_bytes: usize, multiplier: usize) -> [u8; 32] {
    run_pairs(text, &shake256(text, code_bytes), multiplier)
}

fn run_pairs(text: &[u8], code: &[u8], multiplier: usize) -> [u8; 32] {
    let multiplier = multiplier.max(1);
    let mut tape = shake256(text, 32 * multiplier);
    for pair in code.chunks(2) {
        // Of an odd program the last pair is one byte, and its number is that byte.
        let number = pair
            .iter()
            .fold(0, |number, byte| number << 8 | usize::from(*byte));
        let (op, at) = (pair[0] >> 4, usize::from(pair[0] & 15));
        let cell = at + 32 * (number % multiplier);
        run(&mut tape, op, cell);
        run(&mut tape, op, cell + STRIDE);
    }
    Sha256::digest(&tape).into()
}

/// Runs one operation on one cell.
fn run(tape: &mut [u8], op: u8, cell: usize) {
    let byte = tape[cell];
    let place = usize::from(byte);
    let rotated = || {
        let (before, after) = tape.split_at(cell);
        [after, before].concat()
    };
    tape[cell] = match op {
        0 => byte,
        1 => byte.wrapping_add(1),
        2 => byte.wrapping_sub(1),
        3 | 8 => byte >> 1,
        4 | 6 => byte << 1,
        5 => !byte,
        7 => byte.wrapping_mul(byte),
        9 => byte.rotate_left(4),
        10 => Sha256::digest(rotated())[place % 32],
        11 => Md5::digest(rotated())[place % 16],
        12 => shake128_at(&rotated(), place),
        13 => Sha3_256::digest(rotated())[place % 32],
        14 => Sha3_512::digest(rotated())[place % 64],
        _ => Blake2s256::digest(rotated())[place % 32],
    };
}

fn shake256(text: &[u8], bytes: usize) -> Vec<u8> {
    let mut out = vec![0; bytes];
    let mut hasher = Shake256::default();
    hasher.update(text);
    hasher.finalize_xof().read(&mut out);
    out
}

fn shake128_at(text: &[u8], place: usize) -> u8 {
    let mut out = vec![0; place + 1];
    let mut hasher = Shake128::default();
    hasher.update(text);
    hasher.finalize_xof().read(&mut out);
    out[place]
}

/// The zero bits that a digest begins with: its difficulty in gossip.
pub fn leading_zeros(digest: &[u8; 32]) -> u32 {
    let zeros = digest.iter().take_while(|byte| **byte == 0).count();
    let rest = digest.get(zeros).map_or(0, |byte| byte.leading_zeros());
    u32::try_from(zeros).unwrap_or(0) * 8 + rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex;

    #[test]
    fn each_operation_does_what_the_original_does() {
        let tape: Vec<u8> = (0x64..0xa4).collect();
        // What stands in cells 0, 17 and 63 after each operation from 0 to 15.
        let after: [[u8; 3]; 16] = [
            [100, 117, 163],
            [101, 118, 164],
            [99, 116, 162],
            [50, 58, 81],
            [200, 234, 70],
            [155, 138, 92],
            [200, 234, 70],
            [16, 121, 201],
            [50, 58, 81],
            [70, 87, 58],
            [134, 134, 219],
            [189, 253, 30],
            [54, 176, 15],
            [188, 44, 53],
            [87, 19, 196],
            [125, 97, 181],
        ];
        for (op, after) in (0..).zip(after) {
            for (cell, after) in [0, 17, 63].into_iter().zip(after) {
                let mut tape = tape.clone();
                run(&mut tape, op, cell);
                assert_eq!(tape[cell], after, "operation {op} on cell {cell}");
            }
        }
    }

    /// Texts by the names they have in the list.
    fn text(name: &str) -> Vec<u8> {
        match name {
            "empty" => Vec::new(),
            "a" => b"a".to_vec(),
            "hello" => b"hello world".to_vec(),
            "counting" => (0..=255).collect(),
            "ones" => vec![0xff; 200],
            "zeros" => vec![0; 72],
            other => panic!("no text {other}"),
        }
    }

    /// Kind, text, bytes of the program, multiplier of the tape, digest: all that the library of 2022-07-07 and the
    /// package 0.1.1 were asked, which agree where both have a kind.
    #[test]
    fn digests_are_those_of_the_originals() {
        let list = include_str!("tapehash/digests.txt");
        assert_eq!(list.lines().count(), 68);
        for line in list.lines() {
            let [kind, name, code, multiplier, expected] =
                line.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let (text, number) = (text(name), |text: &str| text.parse().unwrap());
            let digest = match kind {
                "1" => tapehash1(&text, number(code)),
                "2" => tapehash2(&text, number(multiplier)),
                "3" => tapehash3(&text, number(code), number(multiplier)),
                other => panic!("no kind {other}"),
            };
            assert_eq!(hex::encode(&digest), expected, "{line}");
        }
    }

    #[test]
    fn zero_bits_are_counted_from_the_front() {
        let of = |first: [u8; 2]| {
            let mut digest = [0; 32];
            digest[..2].copy_from_slice(&first);
            leading_zeros(&digest)
        };
        assert_eq!([of([0x0b, 0]), of([0, 0xd3]), of([0x80, 0])], [4, 8, 0]);
        assert_eq!(leading_zeros(&[0; 32]), 256);
    }
}
