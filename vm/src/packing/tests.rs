//! Formats and integers.

use quickcheck::QuickCheck;

use super::*;

fn sizes(format: &str) -> Result<usize, FormatError> {
    let mut r = Reader::new(format.as_bytes());
    let mut total = 0;
    while let Some(i) = r.next(total)? {
        total += i.align + i.size;
    }
    Ok(total)
}

fn message(s: &str) -> Result<usize, FormatError> {
    Err(FormatError::Message(s.as_bytes().to_vec()))
}

#[test]
fn sizes_and_alignment() {
    assert_eq!(sizes("b h i4 j"), Ok(15));
    assert_eq!(sizes("!8 b h i4 j"), Ok(16));
    assert_eq!(sizes("<! c3 xXi4 d"), Ok(16));
    assert_eq!(sizes("!4 b d"), Ok(12));
    assert_eq!(sizes("i16"), Ok(16));
    assert_eq!(sizes("b\0garbage"), Ok(1));
    assert_eq!(sizes("c214748363"), Ok(214_748_363));
}

#[test]
fn bad_formats() {
    assert_eq!(
        sizes("i17"),
        message("integral size (17) out of limits [1,16]")
    );
    assert_eq!(
        sizes("!0"),
        message("integral size (0) out of limits [1,16]")
    );
    assert_eq!(sizes("c"), message("missing size for format option 'c'"));
    assert_eq!(sizes("r"), message("invalid format option 'r'"));
    assert_eq!(sizes("c21474836470"), message("invalid format option '7'"));
    assert_eq!(
        sizes("X"),
        Err(FormatError::Argument("invalid next option for option 'X'"))
    );
    assert_eq!(
        sizes("Xc1"),
        Err(FormatError::Argument("invalid next option for option 'X'"))
    );
    assert_eq!(
        sizes("!4 i3"),
        Err(FormatError::Argument(
            "format asks for alignment not power of 2"
        ))
    );
}

#[test]
fn integers_round_trip() {
    fn prop(n: i64, size: u8, little: bool) -> bool {
        let size = size as usize % 16 + 1;
        let n = if size < 8 { n >> (64 - 8 * size) } else { n };
        let mut out = Vec::new();
        put_int(&mut out, n as u64, little, size, n < 0);
        let unsigned_ok =
            n < 0 || !fits_unsigned(n as u64, size) || get_int(&out, little, false) == Some(n);
        out.len() == size
            && fits_signed(n, size)
            && get_int(&out, little, true) == Some(n)
            && unsigned_ok
    }
    QuickCheck::new()
        .max_tests(20_000)
        .tests(20_000)
        .quickcheck(prop as fn(i64, u8, bool) -> bool);
}

#[test]
fn integers_that_do_not_fit() {
    assert_eq!(get_int(&[1; 9], true, true), None);
    assert_eq!(get_int(&[0xff; 9], true, true), Some(-1));
    assert_eq!(get_int(&[0xff; 9], true, false), None);
    assert!(
        !fits_signed(128, 1)
            && fits_signed(-128, 1)
            && !fits_unsigned(256, 1)
            && fits_unsigned(255, 1)
    );
}
