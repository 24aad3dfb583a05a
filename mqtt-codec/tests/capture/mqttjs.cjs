// What MQTT.js plays for capture.py: mqttjs.cjs PORT LEVEL USER PASSWORD
const mqtt = require('mqtt')
const [port, level, username, password] = process.argv.slice(2)
const five = level === '5'
const topic = `capture/mqttjs/${level}`
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

const client = mqtt.connect({
  host: '127.0.0.1', port: Number(port), username, password,
  clientId: `mqttjs-${level}`, clean: true, keepalive: 2, reconnectPeriod: 0,
  protocolVersion: Number(level), protocolId: level === '3' ? 'MQIsdp' : 'MQTT',
  will: {
    topic: `${topic}/will`, payload: Buffer.from('gone'), qos: 0, retain: false,
    ...(five && { properties: { payloadFormatIndicator: true, userProperties: { why: 'gone' } } }),
  },
  ...(five && { properties: { sessionExpiryInterval: 30, receiveMaximum: 5, topicAliasMaximum: 3 } }),
})
client.on('error', () => process.exit(1))
client.on('connect', async () => {
  client.subscribe({ [`${topic}/#`]: { qos: 2, rap: true, rh: 2 }, [`${topic}/x`]: { qos: 0 } },
    five ? { properties: { subscriptionIdentifier: 20000, userProperties: { why: 'test' } } } : {},
    () => {})
  await wait(300)
  for (const qos of [0, 1, 2]) {
    client.publish(`${topic}/grüße`, JSON.stringify({ celsius: 21.5 }), {
      qos,
      ...(five && { properties: { contentType: 'application/json', topicAlias: 2,
        responseTopic: `${topic}/answers`, correlationData: Buffer.from([0, 255]),
        userProperties: { unit: ['celsius', 'kelvin'] } } }),
    }, () => {})
    await wait(150)
  }
  await wait(2500) // for PINGREQ
  client.unsubscribe([`${topic}/#`, `${topic}/unknown`], () => {})
  await wait(300)
  client.end(false, five ? { reasonCode: 0, properties: { sessionExpiryInterval: 0 } } : {}, () => process.exit(0))
  await wait(1000)
  process.exit(0)
})
