//! Sequences and maps: tables.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::hash::{BuildHasher, Hash};

use super::{FromLua, IntoLua};
use crate::{Error, Lua, Result, Table, Value};

/// The elements of a sequence.
fn elements<T: FromLua, C: FromIterator<T>>(v: Value, lua: &Lua) -> Result<C> {
    Table::from_lua(v, lua)?
        .sequence_values()
        .enumerate()
        .map(|(i, v)| v.map_err(|e| in_table(&format!("index {}", i + 1), &e)))
        .collect()
}

/// Says where in a table the wrong value was.
#[cold]
fn in_table(place: &str, e: &Error) -> Error {
    Error::unsuitable(format!("{e} at {place}"))
}

impl<T: FromLua> FromLua for Vec<T> {
    fn from_lua(v: Value, lua: &Lua) -> Result<Vec<T>> {
        elements(v, lua)
    }
}
impl<T: FromLua> FromLua for VecDeque<T> {
    fn from_lua(v: Value, lua: &Lua) -> Result<VecDeque<T>> {
        elements(v, lua)
    }
}
impl<T: FromLua> FromLua for Box<[T]> {
    fn from_lua(v: Value, lua: &Lua) -> Result<Box<[T]>> {
        elements(v, lua)
    }
}
impl<T: FromLua, const N: usize> FromLua for [T; N] {
    fn from_lua(v: Value, lua: &Lua) -> Result<[T; N]> {
        let all: Vec<T> = elements(v, lua)?;
        <[T; N]>::try_from(all).map_err(|v| {
            Error::unsuitable(format!(
                "sequence of {N} elements expected, got {}",
                v.len()
            ))
        })
    }
}
macro_rules! sequences {
    ($(impl[$($g:tt)*] $t:ty;)*) => { $(
        impl<$($g)*> IntoLua for $t {
            fn into_lua(self, lua: &Lua) -> Result<Value> {
                lua.create_sequence_from(self).map(Value::Table)
            }
        }
    )* };
}
sequences! {
    impl[T: IntoLua] Vec<T>;
    impl[T: IntoLua] VecDeque<T>;
    impl[T: IntoLua, const N: usize] [T; N];
}
impl<T: IntoLua> IntoLua for Box<[T]> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        self.into_vec().into_lua(lua)
    }
}
impl<T: IntoLua + Clone> IntoLua for &[T] {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_sequence_from(self.iter().cloned())
            .map(Value::Table)
    }
}
impl<T: IntoLua + Clone, const N: usize> IntoLua for &[T; N] {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        self.as_slice().into_lua(lua)
    }
}

fn pairs<K: FromLua, V: FromLua, C: FromIterator<(K, V)>>(v: Value, lua: &Lua) -> Result<C> {
    Table::from_lua(v, lua)?
        .pairs::<Value, Value>()
        .map(|pair| {
            let (k, v) = pair?;
            let place = |e: &Error, k: &Value| {
                let key = k.to_string().unwrap_or_default();
                in_table(&format!("key '{key}'"), e)
            };
            let key = K::from_lua(k.clone(), lua).map_err(|e| place(&e, &k))?;
            Ok((key, V::from_lua(v, lua).map_err(|e| place(&e, &k))?))
        })
        .collect()
}

impl<K: FromLua + Eq + Hash, V: FromLua, S: BuildHasher + Default> FromLua for HashMap<K, V, S> {
    fn from_lua(v: Value, lua: &Lua) -> Result<HashMap<K, V, S>> {
        pairs(v, lua)
    }
}
impl<K: FromLua + Ord, V: FromLua> FromLua for BTreeMap<K, V> {
    fn from_lua(v: Value, lua: &Lua) -> Result<BTreeMap<K, V>> {
        pairs(v, lua)
    }
}
impl<K: IntoLua, V: IntoLua, S> IntoLua for HashMap<K, V, S> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_table_from(self).map(Value::Table)
    }
}
impl<K: IntoLua, V: IntoLua> IntoLua for BTreeMap<K, V> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_table_from(self).map(Value::Table)
    }
}

/// The keys of a table whose values are true, or the elements of a sequence.
fn members<K: FromLua, C: FromIterator<K>>(v: Value, lua: &Lua) -> Result<C> {
    let t = Table::from_lua(v, lua)?;
    if t.raw_len() > 0 {
        return elements(Value::Table(t), lua);
    }
    t.pairs::<K, bool>()
        .filter_map(|pair| match pair {
            Ok((_, false)) => None,
            Ok((k, true)) => Some(Ok(k)),
            Err(e) => Some(Err(e)),
        })
        .collect()
}
impl<K: FromLua + Eq + Hash, S: BuildHasher + Default> FromLua for HashSet<K, S> {
    fn from_lua(v: Value, lua: &Lua) -> Result<HashSet<K, S>> {
        members(v, lua)
    }
}
impl<K: FromLua + Ord> FromLua for BTreeSet<K> {
    fn from_lua(v: Value, lua: &Lua) -> Result<BTreeSet<K>> {
        members(v, lua)
    }
}
impl<K: IntoLua, S> IntoLua for HashSet<K, S> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_table_from(self.into_iter().map(|k| (k, true)))
            .map(Value::Table)
    }
}
impl<K: IntoLua> IntoLua for BTreeSet<K> {
    fn into_lua(self, lua: &Lua) -> Result<Value> {
        lua.create_table_from(self.into_iter().map(|k| (k, true)))
            .map(Value::Table)
    }
}
