#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| mq_fuzz::targets::broker_bytes::run(data));
