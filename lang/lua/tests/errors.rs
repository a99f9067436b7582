//! Messages of wrong programs against those of PUC Lua 5.4.8 (`golden/errors.txt`).
//!
//! The file holds pairs of lines: the program, and indented its message or `OK`. Both are written with `\n`, `\\` and
//! `\xHH` for what is not printable ASCII.

use traceorus_lang_lua::compile;

fn unescape(s: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = s.bytes();
    while let Some(c) = bytes.next() {
        if c != b'\\' {
            out.push(c);
            continue;
        }
        match bytes.next() {
            Some(b'n') => out.push(b'\n'),
            Some(b'x') => {
                let digit = |b: Option<u8>| {
                    char::from(b.expect("two digits"))
                        .to_digit(16)
                        .expect("hex")
                };
                let high = digit(bytes.next());
                out.push((high * 16 + digit(bytes.next())) as u8);
            }
            Some(other) => out.push(other),
            None => panic!("cut-off escape in {s:?}"),
        }
    }
    out
}

fn escape(s: &[u8]) -> String {
    s.iter()
        .map(|&c| match c {
            b'\\' => "\\\\".into(),
            b'\n' => "\\n".into(),
            32..=126 => char::from(c).to_string(),
            _ => format!("\\x{c:02x}"),
        })
        .collect()
}

#[test]
fn messages_equal_puc() {
    let golden = include_str!("golden/errors.txt");
    let mut lines = golden.lines();
    let (mut cases, mut wrong) = (0, String::new());
    while let (Some(program), Some(message)) = (lines.next(), lines.next()) {
        cases += 1;
        let got = match compile(&unescape(program), b"=in") {
            Ok(_) => "OK".into(),
            Err(e) => {
                let shows_eof = e.message.ends_with(b"<eof>");
                assert_eq!(e.at_eof, shows_eof, "{program}");
                escape(&e.message)
            }
        };
        let message = message.trim_start();
        if got != message {
            wrong += &format!("{program}\n  PUC:  {message}\n  here: {got}\n");
        }
    }
    assert!(cases > 350, "{cases}");
    assert!(wrong.is_empty(), "{wrong}");
}
