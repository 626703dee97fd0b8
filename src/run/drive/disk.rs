//! To the disk and back: what is written keeps its place among the requests until it is there.

use std::sync::Arc;

use super::{Drive, RunError};
use crate::run::event::Event;
use crate::run::limit::Limit;
use crate::store::{Committed, Write};
use crate::trial::TrialRecord;

impl Drive<'_> {
    /// Hands a trial to the writer.
    pub(super) async fn write(
        &mut self,
        record: TrialRecord,
        exchange_row: Option<i64>,
        settled: bool,
        reusable: bool,
    ) {
        let variant = Arc::clone(&self.names[record.trial.variant]);
        self.lanes[record.trial.variant].stored += u32::from(record.reused);
        if !record.reused {
            self.limit(record.trial.variant).writing();
        }
        // A writer that is gone has said why on the other channel.
        let _ = self.writer.send(Write { record, variant, exchange_row, settled, reusable }).await;
    }

    fn limit(&mut self, lane: usize) -> &mut Limit {
        &mut self.limits[self.limit_of[self.job.lanes[lane].endpoint]]
    }

    pub(super) fn committed(&mut self, news: Committed) -> Result<(), RunError> {
        match news {
            Committed::Trials(records) => {
                for record in &records {
                    self.summary.done += 1;
                    match record.reused {
                        true => self.lanes[record.trial.variant].stored -= 1,
                        false => {
                            self.limit(record.trial.variant).written();
                            self.twins.committed(record.exchange.key);
                        }
                    }
                    self.observer.on(Event::Finished(record));
                }
                self.spare_decided();
                Ok(())
            }
            Committed::Failed(message) => Err(RunError::Store(crate::store::StoreError::Writer(message))),
        }
    }
}
