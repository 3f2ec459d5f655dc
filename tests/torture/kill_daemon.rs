//! `kill -9` of the daemon at random moments, while webhooks, pushes, pulls and events are under way.

use std::time::Duration;

use crate::{
    Outcome,
    load::Pace,
    stage::{Stage, World, integrity},
};

/// The store is looked at after so many kills.
const CHECK_EVERY: usize = 10;

pub async fn play(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "kill_daemon");
    // Small batches and a sweep every few seconds: more moments at which a kill can strike.
    let mut daemon = stage.daemon(&world.server.url, "batch = 20", "");
    daemon.edit("[log]", "sweep_interval = \"5s\"\npage = 100\n\n[log]");
    stage.send_events_to(&daemon.url);
    daemon.start_connected().await;
    let person = stage.person(&world.server).await;
    let pace = Pace { senders: 3, leads: 5, pause: Duration::from_millis(250), text: 0 };
    stage.load.senders(stage.name, &daemon.url, &pace, &mut stage.dice);
    stage.load.people(stage.name, &person, 2, Duration::from_millis(300), &mut stage.dice);

    let kills = world.size(12, 300);
    let mut damaged = Vec::new();
    for kill in 1..=kills {
        // From the middle of its start to well into its work.
        stage.moment(20, 1_800).await;
        daemon.kill();
        if kill % CHECK_EVERY == 0 {
            let found = integrity(&daemon.folder.path().join("store.db"));
            damaged.extend((found != "ok").then_some(found));
        }
        daemon.spawn();
        stage.progress.step(&format!("{kill} of {kills} kills, {} leads acknowledged", stage.load.acknowledged()));
    }
    daemon.answers().await;
    daemon.connected().await;
    stage.load.stop().await;
    stage.settle(&daemon).await;
    let mut outcome = Outcome::new(stage.audit(&daemon)).measured("kills", kills);
    outcome.check(damaged.is_empty(), format!("the store was damaged by a kill: {damaged:?}"));
    outcome
}
