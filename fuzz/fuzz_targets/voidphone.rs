#![no_main]

#[expect(dead_code, reason = "the gateway uses more of it")]
#[path = "../../crates/gateways/src/voidphone/codec.rs"]
mod codec;
#[path = "../src/voidphone.rs"]
mod voidphone;

libfuzzer_sys::fuzz_target!(|data: &[u8]| voidphone::frames(data));
