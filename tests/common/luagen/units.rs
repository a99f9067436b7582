//! Units: templates of one feature each, from `units.txt` (see `template` for the notation), or plain statements.

use super::Gen;
use super::tree::Item;

impl Gen {
    /// A random unit.
    pub fn unit(&mut self) -> Vec<Item> {
        if self.rng.chance(35) {
            let n = self.rng.range(4, 12) as usize;
            return self.stmts(n);
        }
        let units: Vec<&str> = include_str!("units.txt").split("---- ").skip(1).collect();
        let unit = self.rng.pick(&units);
        let (_title, text) = unit.split_once('\n').expect("a title");
        self.template(text)
    }
}
