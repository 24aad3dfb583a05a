//! Valid packets of every version, made from any bytes.

use arbitrary::{Result, Unstructured};
use mqtt_codec::{
    Acknowledgement, Auth, ConnAck, Connect, Disconnect, Packet, PacketIdentifier, PacketSet,
    PacketType, Properties, PropertiesBuilder, Property, PropertyIdentifier, ProtocolVersion,
    Publish, QoS, ReasonCode, RetainHandling, SubAck, Subscribe, Subscription, SubscriptionOptions,
    TopicName, UnsubAck, Unsubscribe, Will,
};

/// Keeps what packets borrow: tests run for a moment, and leak it.
fn keep<T: ?Sized>(value: Box<T>) -> &'static T {
    Box::leak(value)
}

fn text(u: &mut Unstructured<'_>) -> Result<String> {
    let string: String = u.arbitrary()?;
    Ok(string.chars().filter(|&c| c != '\0').take(40).collect())
}

fn data(u: &mut Unstructured<'_>) -> Result<&'static [u8]> {
    let length = u.int_in_range(0..=300)?;
    let bytes = u.bytes(length.min(u.len()))?;
    Ok(keep(bytes.to_vec().into()))
}

/// A topic name: levels of letters and other characters.
fn topic(u: &mut Unstructured<'_>) -> Result<String> {
    let name: String = text(u)?.replace(['+', '#'], "/");
    Ok(if name.is_empty() { "a".into() } else { name })
}

fn filter(u: &mut Unstructured<'_>, version: ProtocolVersion) -> Result<String> {
    let mut levels = Vec::new();
    for _ in 0..u.int_in_range(0..=4)? {
        levels.push(match u.int_in_range(0..=3)? {
            0 => "+".into(),
            _ => topic(u)?,
        });
    }
    if levels.is_empty() || u.arbitrary()? {
        levels.push("#".into());
    }
    let filter = levels.join("/");
    let shared = version == ProtocolVersion::V5_0 && u.ratio(1, 4)?;
    Ok(match filter.strip_prefix("$share") {
        Some(_) => "a".into(),
        None if shared => format!("$share/{}/{filter}", topic(u)?.replace('/', "g")),
        None => filter,
    })
}

fn property(u: &mut Unstructured<'_>, identifier: PropertyIdentifier) -> Result<Property<'static>> {
    use PropertyIdentifier as P;
    let string = |u: &mut Unstructured<'_>| Ok(keep(text(u)?.into_boxed_str()));
    Ok(match identifier {
        P::PayloadFormatIndicator => Property::PayloadFormatIndicator(u.arbitrary()?),
        P::MessageExpiryInterval => Property::MessageExpiryInterval(u.arbitrary()?),
        P::ContentType => Property::ContentType(string(u)?),
        P::ResponseTopic => Property::ResponseTopic(keep(topic(u)?.into_boxed_str())),
        P::CorrelationData => Property::CorrelationData(data(u)?),
        P::SubscriptionIdentifier => {
            Property::SubscriptionIdentifier(u.int_in_range(1..=268_435_455)?)
        }
        P::SessionExpiryInterval => Property::SessionExpiryInterval(u.arbitrary()?),
        P::AssignedClientIdentifier => Property::AssignedClientIdentifier(string(u)?),
        P::ServerKeepAlive => Property::ServerKeepAlive(u.arbitrary()?),
        P::AuthenticationMethod => Property::AuthenticationMethod(string(u)?),
        P::AuthenticationData => Property::AuthenticationData(data(u)?),
        P::RequestProblemInformation => Property::RequestProblemInformation(u.arbitrary()?),
        P::WillDelayInterval => Property::WillDelayInterval(u.arbitrary()?),
        P::RequestResponseInformation => Property::RequestResponseInformation(u.arbitrary()?),
        P::ResponseInformation => Property::ResponseInformation(string(u)?),
        P::ServerReference => Property::ServerReference(string(u)?),
        P::ReasonString => Property::ReasonString(string(u)?),
        P::ReceiveMaximum => Property::ReceiveMaximum(u.int_in_range(1..=u16::MAX)?),
        P::TopicAliasMaximum => Property::TopicAliasMaximum(u.arbitrary()?),
        P::TopicAlias => Property::TopicAlias(u.int_in_range(1..=u16::MAX)?),
        P::MaximumQoS => Property::MaximumQoS(*u.choose(&QoS::ALL[..2])?),
        P::RetainAvailable => Property::RetainAvailable(u.arbitrary()?),
        P::UserProperty => Property::UserProperty(string(u)?, string(u)?),
        P::MaximumPacketSize => Property::MaximumPacketSize(u.int_in_range(1..=u32::MAX)?),
        P::WildcardSubscriptionAvailable => Property::WildcardSubscriptionAvailable(u.arbitrary()?),
        P::SubscriptionIdentifiersAvailable => {
            Property::SubscriptionIdentifiersAvailable(u.arbitrary()?)
        }
        P::SharedSubscriptionAvailable => Property::SharedSubscriptionAvailable(u.arbitrary()?),
    })
}

/// Any properties that the packet may carry, by the table, in any order.
pub(crate) fn properties(
    u: &mut Unstructured<'_>,
    packet: PacketSet,
    version: ProtocolVersion,
    first: &[Property<'_>],
) -> Result<Properties<'static>> {
    let mut builder = PropertiesBuilder::new();
    if version == ProtocolVersion::V5_0 {
        builder.extend(first.iter().copied()).unwrap();
        for _ in 0..u.int_in_range(0..=5)? {
            let identifier = *u.choose(PropertyIdentifier::ALL)?;
            let there = builder.contains(identifier);
            let packets = if there {
                identifier.repeatable()
            } else {
                identifier.packets()
            };
            // Data goes with a method, which a test puts first.
            if packets.contains(packet) && identifier != PropertyIdentifier::AuthenticationData {
                builder.push(property(u, identifier)?).unwrap();
            }
        }
        if builder.contains(PropertyIdentifier::AuthenticationMethod) && u.arbitrary()? {
            builder
                .push(Property::AuthenticationData(data(u)?))
                .unwrap();
        }
    }
    Ok(keep(Box::new(builder.build())).as_properties())
}

fn reason(u: &mut Unstructured<'_>, packet: PacketSet) -> Result<ReasonCode> {
    let codes: Vec<_> = ReasonCode::ALL
        .iter()
        .copied()
        .filter(|code| code.packets().contains(packet))
        .collect();
    u.choose(&codes).copied()
}

fn identifier(u: &mut Unstructured<'_>) -> Result<PacketIdentifier> {
    u.arbitrary()
}

/// Any valid packet of this version.
pub(crate) fn packet(
    u: &mut Unstructured<'_>,
    version: ProtocolVersion,
) -> Result<Packet<'static>> {
    let is_5 = version == ProtocolVersion::V5_0;
    let acknowledgement = |u: &mut Unstructured<'_>, packet: PacketSet| {
        Ok(Acknowledgement {
            packet_identifier: identifier(u)?,
            reason_code: if is_5 {
                reason(u, packet)?
            } else {
                ReasonCode::Success
            },
            properties: properties(u, packet, version, &[])?,
        })
    };
    Ok(match *u.choose(&PacketType::ALL)? {
        PacketType::Connect => {
            let will = if u.arbitrary()? {
                Some(Will {
                    topic: super::topic(keep(topic(u)?.into_boxed_str())),
                    payload: data(u)?,
                    qos: *u.choose(&QoS::ALL)?,
                    retain: u.arbitrary()?,
                    properties: properties(u, PacketSet::WILL, version, &[])?,
                })
            } else {
                None
            };
            let user_name = if u.arbitrary()? {
                Some(super::utf8(keep(text(u)?.into_boxed_str())))
            } else {
                None
            };
            Packet::Connect(Connect {
                protocol_version: version,
                clean_start: true,
                keep_alive: u.arbitrary()?,
                properties: properties(u, PacketSet::CONNECT, version, &[])?,
                client_identifier: match version {
                    ProtocolVersion::V3_1 => super::utf8("abc"),
                    _ => super::utf8(keep(text(u)?.into_boxed_str())),
                },
                will,
                user_name,
                password: if (is_5 || user_name.is_some()) && u.arbitrary()? {
                    Some(data(u)?)
                } else {
                    None
                },
            })
        }
        PacketType::ConnAck => {
            let reason_code = if is_5 {
                reason(u, PacketSet::CONNACK)?
            } else {
                ReasonCode::from_connect_return_code(u.int_in_range(0..=5)?).unwrap()
            };
            Packet::ConnAck(ConnAck {
                session_present: version != ProtocolVersion::V3_1
                    && reason_code == ReasonCode::Success
                    && u.arbitrary()?,
                reason_code,
                properties: properties(u, PacketSet::CONNACK, version, &[])?,
            })
        }
        PacketType::Publish => {
            let qos = *u.choose(&QoS::ALL)?;
            let properties = properties(u, PacketSet::PUBLISH, version, &[])?;
            Packet::Publish(Publish {
                dup: qos != QoS::AtMostOnce && u.arbitrary()?,
                qos,
                retain: u.arbitrary()?,
                topic_name: if properties.topic_alias().is_some() && u.arbitrary()? {
                    TopicName::EMPTY
                } else {
                    super::topic(keep(topic(u)?.into_boxed_str()))
                },
                packet_identifier: match qos {
                    QoS::AtMostOnce => None,
                    _ => Some(identifier(u)?),
                },
                properties,
                payload: data(u)?,
            })
        }
        PacketType::PubAck => Packet::PubAck(acknowledgement(u, PacketSet::PUBACK)?),
        PacketType::PubRec => Packet::PubRec(acknowledgement(u, PacketSet::PUBREC)?),
        PacketType::PubRel => Packet::PubRel(acknowledgement(u, PacketSet::PUBREL)?),
        PacketType::PubComp => Packet::PubComp(acknowledgement(u, PacketSet::PUBCOMP)?),
        PacketType::Subscribe => {
            let mut list = Vec::new();
            for _ in 0..u.int_in_range(1..=4)? {
                let topic_filter = keep(filter(u, version)?.into_boxed_str());
                let mut options = SubscriptionOptions::new(*u.choose(&QoS::ALL)?);
                if is_5 {
                    options.no_local = !topic_filter.starts_with("$share/") && u.arbitrary()?;
                    options.retain_as_published = u.arbitrary()?;
                    options.retain_handling = *u.choose(&[
                        RetainHandling::Send,
                        RetainHandling::SendIfNew,
                        RetainHandling::DoNotSend,
                    ])?;
                }
                list.push(Subscription {
                    topic_filter,
                    options,
                });
            }
            Packet::Subscribe(Subscribe {
                packet_identifier: identifier(u)?,
                properties: properties(u, PacketSet::SUBSCRIBE, version, &[])?,
                subscriptions: keep(list.into_boxed_slice()).into(),
            })
        }
        PacketType::SubAck => {
            let mut codes = Vec::new();
            for _ in 0..u.int_in_range(1..=4)? {
                codes.push(if is_5 {
                    reason(u, PacketSet::SUBACK)?
                } else {
                    *u.choose(&[
                        ReasonCode::Success,
                        ReasonCode::GrantedQoS1,
                        ReasonCode::GrantedQoS2,
                        ReasonCode::UnspecifiedError,
                    ])?
                });
            }
            Packet::SubAck(SubAck {
                packet_identifier: identifier(u)?,
                properties: properties(u, PacketSet::SUBACK, version, &[])?,
                reason_codes: keep(codes.into_boxed_slice()).into(),
            })
        }
        PacketType::Unsubscribe => {
            let mut list: Vec<&str> = Vec::new();
            for _ in 0..u.int_in_range(1..=4)? {
                list.push(keep(filter(u, version)?.into_boxed_str()));
            }
            Packet::Unsubscribe(Unsubscribe {
                packet_identifier: identifier(u)?,
                properties: properties(u, PacketSet::UNSUBSCRIBE, version, &[])?,
                topic_filters: keep(list.into_boxed_slice()).into(),
            })
        }
        PacketType::UnsubAck => {
            let mut codes = Vec::new();
            if is_5 {
                for _ in 0..u.int_in_range(1..=4)? {
                    codes.push(reason(u, PacketSet::UNSUBACK)?);
                }
            }
            Packet::UnsubAck(UnsubAck {
                packet_identifier: identifier(u)?,
                properties: properties(u, PacketSet::UNSUBACK, version, &[])?,
                reason_codes: keep(codes.into_boxed_slice()).into(),
            })
        }
        PacketType::PingReq => Packet::PingReq,
        PacketType::Auth if is_5 => Packet::Auth(Auth {
            reason_code: reason(u, PacketSet::AUTH)?,
            properties: properties(
                u,
                PacketSet::AUTH,
                version,
                &[Property::AuthenticationMethod("SCRAM-SHA-256")],
            )?,
        }),
        PacketType::PingResp | PacketType::Auth => Packet::PingResp,
        PacketType::Disconnect => Packet::Disconnect(Disconnect {
            reason_code: if is_5 {
                reason(u, PacketSet::DISCONNECT)?
            } else {
                ReasonCode::Success
            },
            properties: properties(u, PacketSet::DISCONNECT, version, &[])?,
        }),
    })
}
