//! `kill -9` of Odoo, and of PostgreSQL under it, while the daemon pushes and people save leads.

use std::time::Duration;

use rand::RngExt;

use crate::{
    Outcome,
    load::Pace,
    stage::{Stage, World},
    support::odoo::Server,
};

pub async fn play(world: &World) -> Outcome {
    let mut stage = Stage::new(world, "kill_odoo");
    let server = Server::own(&stage.database);
    let mut daemon = stage.daemon(&server.url, "batch = 20", "");
    stage.send_events_to(&daemon.url);
    daemon.start_connected().await;
    let person = stage.person(&server).await;
    let pace = Pace { senders: 2, leads: 8, pause: Duration::from_millis(300), text: 0 };
    stage.load.senders(stage.name, &daemon.url, &pace, &mut stage.dice);
    stage.load.people(stage.name, &person, 3, Duration::from_millis(150), &mut stage.dice);

    let kills = world.size(2, 30);
    let (mut of_odoo, mut of_postgresql) = (0, 0);
    for kill in 1..=kills {
        stage.moment(500, 3_000).await;
        // Both at least once, whatever the dice say.
        let postgresql = if kill <= 2 { kill == 2 } else { stage.dice.random_bool(0.4) };
        if postgresql {
            Server::kill_postgresql();
            of_postgresql += 1;
            stage.moment(0, 500).await;
            Server::start_postgresql();
        } else {
            server.kill();
            of_odoo += 1;
            stage.moment(0, 500).await;
            server.start();
        }
        stage.progress.step(&format!("{kill} of {kills} kills, {} leads acknowledged", stage.load.acknowledged()));
    }
    stage.moment(1_000, 2_000).await;
    daemon.connected().await;
    stage.load.stop().await;
    stage.settle(&daemon).await;
    let outcome = Outcome::new(stage.audit(&daemon))
        .measured("kills_of_odoo", of_odoo)
        .measured("kills_of_postgresql", of_postgresql);
    server.stop();
    outcome
}
