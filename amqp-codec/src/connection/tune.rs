//! The limits that the peers agree on with tune and tune-ok.

use super::config::ClientConfig;
use super::error::ConnectionError;
use crate::frame::FRAME_MIN_SIZE;
use crate::method::connection::{Tune, TuneOk};

/// The server's look at tune-ok (rules connection / tune-ok, as RabbitMQ keeps
/// them): no more than was offered, and 0, no limit, is more than any limit; a
/// frame-max of less than frame-min-size is none.
// keeps: connection / tune-ok / channel-max / upper-limit
// keeps: connection / tune-ok / frame-max / minimum
// keeps: connection / tune-ok / frame-max / upper-limit
pub(super) fn check_tune_ok(offered: Tune, answered: TuneOk) -> Result<(), ConnectionError> {
    let above = |offered: u32, answered: u32| offered != 0 && (answered == 0 || answered > offered);
    if above(offered.channel_max.into(), answered.channel_max.into()) {
        return Err(ConnectionError::Tune {
            field: "channel-max",
            offered: offered.channel_max.into(),
            answered: answered.channel_max.into(),
        });
    }
    if above(offered.frame_max, answered.frame_max)
        || (answered.frame_max != 0 && answered.frame_max < FRAME_MIN_SIZE)
    {
        return Err(ConnectionError::Tune {
            field: "frame-max",
            offered: offered.frame_max,
            answered: answered.frame_max,
        });
    }
    Ok(())
}

/// The client's answer to tune: the lower of both where both have a limit.
// keeps: connection / tune / frame-max / minimum, section 2.3.3 / limits are reduced
pub(super) fn answer_tune(offered: Tune, config: &ClientConfig) -> Result<TuneOk, ConnectionError> {
    fn lower<T: Ord + Default + Copy>(a: T, b: T) -> T {
        let none = T::default();
        if a == none {
            b
        } else if b == none {
            a
        } else {
            a.min(b)
        }
    }
    let frame_max = lower(
        lower(offered.frame_max, config.frame_max),
        config.limits.frame_size.max(FRAME_MIN_SIZE),
    );
    if frame_max != 0 && frame_max < FRAME_MIN_SIZE {
        return Err(ConnectionError::Tune {
            field: "frame-max",
            offered: offered.frame_max,
            answered: frame_max,
        });
    }
    Ok(TuneOk {
        channel_max: lower(
            lower(offered.channel_max, config.channel_max),
            config.limits.channel_max,
        ),
        frame_max,
        heartbeat: if config.heartbeat == 0 {
            0
        } else {
            lower(offered.heartbeat, config.heartbeat)
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tune(channel_max: u16, frame_max: u32, heartbeat: u16) -> Tune {
        Tune {
            channel_max,
            frame_max,
            heartbeat,
        }
    }

    /// What RabbitMQ 3.10.8 accepted and what it closed the socket on.
    // shows: connection / tune-ok / channel-max / upper-limit
    // shows: connection / tune-ok / frame-max / minimum
    // shows: connection / tune-ok / frame-max / upper-limit
    #[test]
    fn tune_ok_may_lower_and_never_raise() {
        let rows = [
            // Offered, answered, whether it is agreed.
            ((2047, 131_072), (2047, 131_072), true),
            ((2047, 131_072), (1, 4096), true),
            ((2047, 131_072), (2047, 131_073), false),
            ((2047, 131_072), (2048, 131_072), false),
            ((2047, 131_072), (2047, 4095), false),
            ((2047, 131_072), (2047, 0), false),
            ((2047, 131_072), (0, 131_072), false),
            // Nothing offered is no limit, so any number is lower (erratum 10).
            ((0, 0), (0, 0), true),
            ((0, 0), (65535, u32::MAX), true),
            ((0, 0), (1, 4095), false),
        ];
        for ((channels, frame), (channels_ok, frame_ok), agreed) in rows {
            let answered = TuneOk {
                channel_max: channels_ok,
                frame_max: frame_ok,
                heartbeat: 600,
            };
            let result = check_tune_ok(tune(channels, frame, 60), answered);
            assert_eq!(result.is_ok(), agreed, "{answered:?}");
        }
    }

    // shows: section 2.3.3 / limits are reduced, connection / tune / frame-max / minimum
    #[test]
    fn a_client_answers_with_the_lower_of_both() {
        let rows = [
            // Offered; asked: channel-max, frame-max, heartbeat; answered.
            ((2047, 131_072, 60), (0, 0, 60), (2047, 131_072, 60)),
            ((2047, 131_072, 60), (10, 8192, 5), (10, 8192, 5)),
            ((10, 8192, 5), (2047, 131_072, 60), (10, 8192, 5)),
            ((0, 0, 0), (0, 0, 30), (2047, 131_080, 30)),
            ((2047, 131_072, 60), (0, 0, 0), (2047, 131_072, 0)),
        ];
        for ((a, b, c), (channel_max, frame_max, heartbeat), (x, y, z)) in rows {
            let config = ClientConfig {
                channel_max,
                frame_max,
                heartbeat,
                ..ClientConfig::default()
            };
            let answer = answer_tune(tune(a, b, c), &config).unwrap();
            assert_eq!(
                (answer.channel_max, answer.frame_max, answer.heartbeat),
                (x, y, z)
            );
            assert_eq!(check_tune_ok(tune(a, b, c), answer), Ok(()));
        }
        // Frames of frame-min-size are taken whatever the limit is.
        for frame_size in [0, 4095, 4096] {
            let mut config = ClientConfig::default();
            config.limits.frame_size = frame_size;
            let answer = answer_tune(tune(2047, 131_072, 60), &config).unwrap();
            assert_eq!(answer.frame_max, FRAME_MIN_SIZE);
        }
        // Below frame-min-size there is nothing to agree on.
        assert!(answer_tune(tune(0, 4095, 0), &ClientConfig::default()).is_err());
    }
}
