#![doc = include_str!("../../../TESTING.md")]
