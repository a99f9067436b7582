//! Programs as trees of lines, so that parts can be left out.

/// A statement: one line, or lines around blocks.
#[derive(Clone, Debug)]
pub enum Item {
    Line(String),
    /// `heads[i]` stands before `bodies[i]`; `close` ends the last one.
    Block {
        heads: Vec<String>,
        bodies: Vec<Vec<Item>>,
        close: String,
    },
}

impl Item {
    pub fn block(head: impl Into<String>, body: Vec<Item>, close: impl Into<String>) -> Item {
        Item::Block {
            heads: vec![head.into()],
            bodies: vec![body],
            close: close.into(),
        }
    }
    fn write(&self, out: &mut String, depth: usize) {
        let mut line = |s: &str| {
            out.extend(std::iter::repeat_n("  ", depth));
            out.push_str(s);
            out.push('\n');
        };
        match self {
            Item::Line(s) => line(s),
            Item::Block {
                heads,
                bodies,
                close,
            } => {
                for (h, b) in heads.iter().zip(bodies) {
                    out.extend(std::iter::repeat_n("  ", depth));
                    out.push_str(h);
                    out.push('\n');
                    for i in b {
                        i.write(out, depth + 1);
                    }
                }
                out.extend(std::iter::repeat_n("  ", depth));
                out.push_str(close);
                out.push('\n');
            }
        }
    }
}

/// The source text.
pub fn render(items: &[Item]) -> String {
    let mut s = String::new();
    for i in items {
        i.write(&mut s, 0);
    }
    s
}

/// A list of items inside the tree: which item and which body, from the outside in.
type Path = Vec<(usize, usize)>;

fn lists(items: &[Item], at: &mut Path, all: &mut Vec<Path>) {
    all.push(at.clone());
    for (i, item) in items.iter().enumerate() {
        if let Item::Block { bodies, .. } = item {
            for (j, b) in bodies.iter().enumerate() {
                at.push((i, j));
                lists(b, at, all);
                at.pop();
            }
        }
    }
}

fn list_at<'a>(mut items: &'a mut Vec<Item>, path: &[(usize, usize)]) -> Option<&'a mut Vec<Item>> {
    for &(i, j) in path {
        items = match items.get_mut(i)? {
            Item::Block { bodies, .. } => bodies.get_mut(j)?,
            Item::Line(_) => return None,
        };
    }
    Some(items)
}

/// Makes the program smaller as long as it still fails: leaves out runs of statements, then puts the contents of
/// blocks in place of the blocks, until nothing more can go.
pub fn shrink(mut program: Vec<Item>, attempt: impl Fn(&[Item]) -> bool) -> Vec<Item> {
    loop {
        let before = render(&program);
        let mut paths = Vec::new();
        lists(&program, &mut Vec::new(), &mut paths);
        for path in paths {
            let Some(len) = list_at(&mut program, &path).map(|l| l.len()) else {
                continue;
            };
            let mut size = len;
            while size > 0 {
                let mut at = 0;
                while let Some(l) = list_at(&mut program, &path)
                    && at < l.len()
                {
                    let mut smaller = program.clone();
                    let l = list_at(&mut smaller, &path).expect("as in the original");
                    let end = (at + size).min(l.len());
                    l.drain(at..end);
                    if attempt(&smaller) {
                        program = smaller;
                    } else {
                        at += size;
                    }
                }
                size /= 2;
            }
        }
        let mut paths = Vec::new();
        lists(&program, &mut Vec::new(), &mut paths);
        for path in paths.into_iter().rev() {
            let mut at = 0;
            while let Some(l) = list_at(&mut program, &path)
                && at < l.len()
            {
                if let Item::Block { bodies, .. } = &l[at] {
                    let inside: Vec<Item> = bodies.concat();
                    let mut smaller = program.clone();
                    let l = list_at(&mut smaller, &path).expect("as in the original");
                    l.splice(at..=at, inside);
                    if attempt(&smaller) {
                        program = smaller;
                    }
                }
                at += 1;
            }
        }
        if render(&program) == before {
            return program;
        }
    }
}
