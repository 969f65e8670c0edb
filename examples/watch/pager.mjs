/** A receiver of alerts: prints what it is told, a line each. */
import { createServer } from 'node:http'

createServer(async (request, response) => {
  let text = ''
  for await (const part of request) text += part
  for (const { status, labels, annotations } of JSON.parse(text).alerts) {
    console.log(
      `${status === 'firing' ? '🔔' : '✔ '} ${labels.severity} ${labels.alertname} ${labels.service ?? labels.check ?? ''}: ${annotations.summary ?? ''}`,
    )
  }
  response.end()
}).listen(9911, '127.0.0.1')
