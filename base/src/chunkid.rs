//! Chunk names as messages show them.

/// Longest result in bytes (PUC's `LUA_IDSIZE` less its NUL).
const MAX: usize = 59;
const DOTS: &[u8] = b"...";
const PREFIX: &[u8] = b"[string \"";
const SUFFIX: &[u8] = b"\"]";

/// The printable form of a chunk's source name: `=x` gives `x`, `@file` gives `file` (its end, if it is long), anything
/// else is source text and gives `[string "first line..."]`. At most 59 bytes; same result as `luaO_chunkid`.
pub fn chunkid(source: &[u8]) -> Vec<u8> {
    // PUC handles the name as a C string. Of source text only the beginning matters, however long it is.
    let named = matches!(source.first(), Some(b'=' | b'@'));
    let looked_at = if named {
        source
    } else {
        &source[..source.len().min(MAX)]
    };
    let source = looked_at.split(|&b| b == 0).next().unwrap_or(b"");
    match source.first() {
        Some(b'=') => source[1..source.len().min(MAX + 1)].to_vec(),
        Some(b'@') if source.len() <= MAX + 1 => source[1..].to_vec(),
        Some(b'@') => [DOTS, &source[source.len() - (MAX - DOTS.len())..]].concat(),
        _ => {
            let room = MAX - PREFIX.len() - DOTS.len() - SUFFIX.len();
            let line_end = source.iter().position(|&b| b == b'\n');
            match line_end {
                None if source.len() < room => [PREFIX, source, SUFFIX].concat(),
                _ => {
                    let n = line_end.unwrap_or(source.len()).min(room);
                    [PREFIX, &source[..n], DOTS, SUFFIX].concat()
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::chunkid;

    fn id(s: &str) -> String {
        String::from_utf8(chunkid(s.as_bytes())).unwrap()
    }

    #[test]
    fn forms() {
        assert_eq!(id("=stdin"), "stdin");
        assert_eq!(id("="), "");
        assert_eq!(id("@a/b.lua"), "a/b.lua");
        assert_eq!(id("return 1"), "[string \"return 1\"]");
        assert_eq!(id(""), "[string \"\"]");
        assert_eq!(id("\nx"), "[string \"...\"]");
        assert_eq!(id("a\nb"), "[string \"a...\"]");
        assert_eq!(id("a\0b"), "[string \"a\"]");
    }

    #[test]
    fn lengths_at_the_limit() {
        // Expected lengths from lua5.4.
        for n in 40..80 {
            let x = "x".repeat(n);
            assert_eq!(id(&format!("={x}")).len(), n.min(59));
            assert_eq!(id(&format!("@{x}")).len(), n.min(59));
            let s = id(&x);
            assert!(s.len() <= 59);
            assert_eq!(s.ends_with("...\"]"), n >= 45, "{n}");
        }
        assert!(id(&format!("@{}y", "x".repeat(100))).starts_with("...x"));
        assert!(id(&format!("@{}y", "x".repeat(100))).ends_with("xy"));
    }
}
