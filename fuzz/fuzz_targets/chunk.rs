#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| bruit_fuzz::chunk(data));
