// A message centre that speaks SMPP 3.4, for Kannel to talk to. What becomes of a message is said by the end of its number:
//   400 throttled at the first two tries, then taken    401 no such number    402 queue full    403 system error
//   500 reported as undelivered    501 expired    502 rejected    503 never reported    anything else is delivered
// Each message it was given is a line of JSON in DIR/log.jsonl, written before it is answered.
//
// usage: node centre.js PORT DIR
const fs = require('fs')
const [port, dir] = process.argv.slice(2)
const smpp = require(dir + '/node_modules/smpp')

const refusals = { 401: smpp.ESME_RINVDSTADR, 402: smpp.ESME_RMSGQFUL, 403: smpp.ESME_RSYSERR }
const reports = { 500: 'UNDELIV', 501: 'EXPIRED', 502: 'REJECTD', 503: null }
const tries = new Map()
let taken = 0

function text(pdu) {
  const message = pdu.message_payload || pdu.short_message
  return message && message.message ? message.message.toString() : ''
}

// The part this is, of how many, where a long text comes in several (3GPP TS 23.040, 9.2.3.24.1).
function part(pdu) {
  const headers = (pdu.short_message && pdu.short_message.udh) || []
  const found = headers.find(it => it[0] === 0)
  return found ? [found[4], found[3]] : [1, 1]
}

function decide(number) {
  const end = number.slice(-3)
  const count = (tries.get(number) || 0) + 1
  tries.set(number, count)
  if (end === '400' && count <= 2) return smpp.ESME_RTHROTTLED
  return refusals[end] || 0
}

function submit(session, pdu) {
  const to = pdu.destination_addr
  const status = decide(to)
  const id = status ? null : (++taken).toString(16).padStart(8, '0')
  const [number, of] = part(pdu)
  const line = { to, from: pdu.source_addr, text: text(pdu), coding: pdu.data_coding, part: number, of, status, id }
  fs.appendFileSync(dir + '/log.jsonl', JSON.stringify(line) + '\n')
  session.send(pdu.response(status ? { command_status: status } : { message_id: id }))
  const end = to.slice(-3)
  const report = end in reports ? reports[end] : 'DELIVRD'
  if (!status && report && pdu.registered_delivery & 1) deliver(session, pdu, id, report)
}

function deliver(session, pdu, id, report) {
  const at = new Date().toISOString().replace(/[-:T]/g, '').slice(2, 12)
  const words = `id:${id} sub:001 dlvrd:${report === 'DELIVRD' ? '001' : '000'} submit date:${at} done date:${at}` +
    ` stat:${report} err:000 text:`
  const sent = { source_addr: pdu.destination_addr, destination_addr: pdu.source_addr, esm_class: 4, short_message: words }
  // Kannel has to have noted the message by then.
  setTimeout(() => session.deliver_sm(sent), 300)
}

smpp.createServer(session => {
  session.on('error', () => {})
  session.on('enquire_link', pdu => session.send(pdu.response()))
  session.on('unbind', pdu => { session.send(pdu.response()); session.close() })
  session.on('bind_transceiver', pdu => {
    const known = pdu.system_id === 'kannel' && pdu.password === 'centre'
    session.send(pdu.response(known ? { system_id: 'centre' } : { command_status: smpp.ESME_RBINDFAIL }))
  })
  session.on('submit_sm', pdu => submit(session, pdu))
}).listen(Number(port), '127.0.0.1')
