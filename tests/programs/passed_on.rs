// passed_on  allocates through Rust's library: each function so often as tests/cli/test_passed_on.py says. Some of it has
// names that look like the library's.
mod core {
    #[inline(never)]
    pub fn prepare() -> Box<[u64; 9]> {
        Box::new([1; 9])
    }
}

struct Node(Box<u64>);

impl Clone for Node {
    #[inline(never)]
    fn clone(&self) -> Node {
        Node(Box::new(*self.0 + 1))
    }
}

#[inline(never)]
fn copies(text: &String) -> Vec<String> {
    (0..1000).map(|_| text.clone()).collect()
}

#[inline(never)]
fn texts(text: &str) -> Vec<String> {
    (0..300).map(|_| text.to_string()).collect()
}

#[inline(never)]
fn boxes() -> Vec<Box<[u8]>> {
    (0..200).map(|i| vec![i as u8; 32].into_boxed_slice()).collect()
}

fn main() {
    let text = std::env::args().next().unwrap();
    let (a, b, c) = (copies(&text), texts(&text), boxes());
    let prepared: Vec<_> = (0..100).map(|_| core::prepare()).collect();
    let node = Node(Box::new(1));
    let nodes: Vec<Node> = (0..50).map(|_| node.clone()).collect();
    println!("{} {} {} {} {}", a.len(), b.len(), c.len(), prepared.len(), nodes.iter().map(|n| *n.0).sum::<u64>());
}
