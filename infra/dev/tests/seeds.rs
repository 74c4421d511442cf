//! A history is its seed's alone. By itself, because calls of Mux go over a real socket: while other
//! histories are told beside it, a packet can come late enough for somebody else to go first.

use dev::simulation::{History, Simulation};

#[test]
fn the_same_seed_is_the_same_history() {
    let simulation = Simulation::new(None, true).unwrap();
    for seed in [3, 4] {
        let [one, other]: [History; 2] = [seed, seed].map(|seed| simulation.history(seed).unwrap());
        assert!(one.trace.len() > 100, "{} lines", one.trace.len());
        assert_eq!(one.trace, other.trace);
        assert_eq!(one.counts, other.counts);
    }
}
