//! Streams that a person calls something else.

use send_learn_protocol::packet::hello::PropertyKey;

use super::Server;
use super::remote::Rename;
use crate::recorder::Command;

impl Server {
    /// From now on the stream is called so: in the status, for viewers, and in the recording.
    pub(super) fn rename(&mut self, rename: &Rename) {
        for (take, stream) in &mut self.streams {
            if stream.description.stream.to_string() != rename.stream {
                continue;
            }
            stream.description.set_property(PropertyKey::NAME, &rename.name);
            if stream.key != 0 {
                // Viewers know a stream by what it said when it came: it goes, and comes again.
                self.tap.stream_down(stream.key);
                stream.key = self.next_key;
                self.next_key += 1;
                self.tap.stream_up(stream.key, &stream.description);
            }
            tracing::info!(%take, name = rename.name, "the stream has another name from now on");
            self.commands.push(Command::Rename { take: *take, name: rename.name.clone() });
        }
        self.board.set(self.status());
    }
}
