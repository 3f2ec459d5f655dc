//! Repeats what fuzzing found worth keeping, in every test run. `make fuzz` looks for more.

#[path = "fuzz/targets.rs"]
mod targets;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

/// Many times what the slowest of them takes on a busy machine: whoever needs so long would never come to an end.
const HANGS: Duration = Duration::from_secs(30);

#[test]
fn nothing_in_the_corpus_panics_or_hangs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus");
    for (name, run) in targets::ALL {
        let inputs = fs::read_dir(root.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut count = 0;
        for input in inputs {
            let path = input.expect("an entry").path();
            let bytes = fs::read(&path).expect("read");
            let began = Instant::now();
            run(&bytes);
            assert!(began.elapsed() < HANGS, "{} took {:?}", path.display(), began.elapsed());
            count += 1;
        }
        assert!(count > 0, "{name} has no corpus");
    }
}
