#!/bin/bash -eu
# Builds each target with its corpus and its dictionary, in the layout of OSS-Fuzz.
cargo fuzz build -O
for target in $(cargo fuzz list); do
  cp "fuzz/target/x86_64-unknown-linux-gnu/release/$target" "$OUT/"
  zip -jq "$OUT/${target}_seed_corpus.zip" "fuzz/seeds/$target"/*
  words=fuzz/dictionaries/${target%%_*}.dict
  [ ! -e "$words" ] || cp "$words" "$OUT/$target.dict"
done
