/** The channels of a receiver, as it is configured. */
import type { ReceiverConfig } from '../../config/types.ts'
import type { WallTime } from '../../kernel/time.ts'
import { PagerDuty } from './pagerduty.ts'
import type { Channel } from './port.ts'
import { Slack } from './slack.ts'
import { Smtp } from './smtp.ts'
import { Webhook } from './webhook.ts'

export function channelsOf({ webhook, slack, smtp, pagerduty }: ReceiverConfig, now: () => WallTime): readonly Channel[] {
  const channels: Channel[] = []
  if (webhook) channels.push(new Webhook(webhook, now))
  if (slack) channels.push(new Slack(slack))
  if (smtp) channels.push(new Smtp(smtp))
  if (pagerduty) channels.push(new PagerDuty(pagerduty))
  return channels
}
