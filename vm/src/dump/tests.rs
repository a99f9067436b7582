//! Round trips, damage, headers.

use super::*;
use crate::verify::tests::samples;

#[test]
fn round_trip() {
    for c in samples() {
        let bytes = encode(&c);
        assert_eq!(undump(&bytes, b"=x").unwrap(), c);
        let mut bare = c.clone();
        strip(&mut bare);
        let small = encode(&bare);
        assert!(small.len() < bytes.len());
        let back = undump(&small, b"=x").unwrap();
        assert_eq!(back, bare);
        assert_eq!(&*back.source, b"=?");
    }
}

#[test]
fn header_is_pucs() {
    let bytes = encode(&samples()[0]);
    let header = b"\x1bLua\x54\x00\x19\x93\r\n\x1a\n\x04\x08\x08";
    assert_eq!(&bytes[..header.len()], header);
    assert_eq!(
        &bytes[header.len()..header.len() + 8],
        &0x5678i64.to_le_bytes()
    );
    assert_eq!(
        &bytes[header.len() + 8..header.len() + 16],
        &370.5f64.to_le_bytes()
    );
    for (i, why) in [
        (1, "not a binary chunk"),
        (4, "version mismatch"),
        (5, "format mismatch"),
        (6, "corrupted chunk"),
        (12, "Instruction size mismatch"),
        (13, "lua_Integer size mismatch"),
        (14, "lua_Number size mismatch"),
        (15, "integer format mismatch"),
        (23, "float format mismatch"),
        (32, "another Lua implementation"),
        (33, "another version"),
    ] {
        let mut bad = bytes.clone();
        bad[i] = bad[i].wrapping_add(1);
        let e = undump(&bad, b"@f.lua").unwrap_err();
        assert_eq!(
            e.starts_with("f.lua: bad binary format ("),
            e.contains(why),
            "{i}: {e}"
        );
        assert!(e.contains(why), "{i}: {e}");
    }
    assert!(
        undump(&bytes[..9], &bytes)
            .unwrap_err()
            .starts_with("binary string: ")
    );
}

#[test]
fn every_prefix_is_truncated() {
    for c in samples() {
        let bytes = encode(&c);
        for n in 0..bytes.len() {
            let e = undump(&bytes[..n], b"x").unwrap_err();
            assert!(e.contains("truncated"), "{n} of {}: {e}", bytes.len());
        }
    }
}

/// Xorshift: tests need no better numbers.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[test]
fn damage_never_panics() {
    let originals: Vec<Vec<u8>> = samples().iter().map(encode).collect();
    let mut rng = 0x9e37_79b9_7f4a_7c15;
    let mut accepted = 0;
    let start = std::time::Instant::now();
    let mut rounds = 0;
    while start.elapsed().as_millis() < 1000 {
        let mut bytes = originals[next(&mut rng) as usize % originals.len()].clone();
        for _ in 0..1 + next(&mut rng) % 4 {
            // Most headers are refused at once: damage what is behind them.
            let at = 34 + next(&mut rng) as usize % (bytes.len() - 34);
            match next(&mut rng) % 4 {
                0 => bytes[at] ^= 1 << (next(&mut rng) % 8),
                1 => bytes[at] = next(&mut rng) as u8,
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, next(&mut rng) as u8),
            }
            if bytes.len() < 40 {
                break;
            }
        }
        rounds += 1;
        if let Ok(c) = undump(&bytes, b"=fuzz") {
            accepted += 1;
            verify::verify(&c).unwrap();
            // Encodings are compared, since a NaN constant differs from itself.
            assert_eq!(encode(&undump(&encode(&c), b"=fuzz").unwrap()), encode(&c));
        }
    }
    assert!(
        rounds > 500 && accepted > 0 && accepted < rounds,
        "{accepted} of {rounds}"
    );
}
