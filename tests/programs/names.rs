// names  code of many shapes for tests/cli/test_symbols.py, which never runs it: generics, closures, traits, inlined
// functions in inlined functions.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;

mod shapes {
    pub trait Shape {
        fn area(&self) -> f64;
        fn name(&self) -> String {
            "shape".to_string()
        }
    }
    pub struct Square(pub f64);
    impl Shape for Square {
        fn area(&self) -> f64 {
            self.0 * self.0
        }
        fn name(&self) -> String {
            format!("square of {}", self.0)
        }
    }
    pub struct Pair<A, B>(pub A, pub B);
    impl<A: Shape, B: Shape> Shape for Pair<A, B> {
        fn area(&self) -> f64 {
            self.0.area() + self.1.area()
        }
    }
}
use shapes::*;

#[inline(always)]
fn innermost(x: u64) -> u64 {
    x.wrapping_mul(3) ^ (x >> 2)
}

#[inline(always)]
fn middle(x: u64) -> u64 {
    (0..x).map(innermost).fold(0, |a, b| a.wrapping_add(b))
}

#[inline(never)]
fn outermost(x: u64) -> u64 {
    middle(x) + middle(x + 1)
}

#[inline(never)]
fn join<T: Display>(all: &[T]) -> String {
    all.iter().map(|one| one.to_string()).collect::<Vec<_>>().join(",")
}

fn main() {
    let words: Vec<String> = std::env::args().collect();
    let mut counts: HashMap<&str, u64> = HashMap::new();
    let mut sorted = BTreeMap::new();
    for (number, word) in words.iter().enumerate() {
        *counts.entry(word).or_default() += 1;
        sorted.insert(number * 31 % 17, word.clone());
    }
    let boxed: Vec<Box<dyn Shape>> = vec![Box::new(Square(2.0)), Box::new(Pair(Square(1.0), Square(3.0)))];
    let area: f64 = boxed.iter().map(|shape| shape.area() + shape.name().len() as f64).sum();
    println!("{} {:?} {:?} {} {}", outermost(words.len() as u64), counts, sorted, area, join(&[1, 2, 3]));
    println!("{}", join(&words));
}
