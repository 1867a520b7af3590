//! Inputs that fuzzing has found to reach something of their own: `fuzz/seeds/TARGET`, an input a line, in hexadecimal.
fn inputs(target: &str) -> Vec<Vec<u8>> {
    let path = format!("{}/fuzz/seeds/{target}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let inputs: Vec<Vec<u8>> = text.lines().map(|line| line.as_bytes().chunks(2).map(byte).collect()).collect();
    assert!(inputs.len() > 10, "{path} is nearly empty");
    inputs
}

#[test]
fn arrived() {
    inputs("arrived").iter().for_each(|input| super::batches::check(input));
}

#[test]
fn datagrams() {
    inputs("datagrams").iter().for_each(|input| super::exercise::check(input));
}

#[test]
fn offload() {
    inputs("offload").iter().for_each(|input| crate::offload::tests::exercise::check(input));
}

#[test]
fn uapi() {
    inputs("uapi").iter().for_each(|input| crate::uapi::tests::exercise::check(input));
}
