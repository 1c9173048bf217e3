"""Verifies webhooks by the reference library of the specification.

Reads lines of JSON from its standard input, {"secret": …, "headers": {…}, "body": …}, and answers a line for each: the body's
type, or why it was refused.
"""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

for line in sys.stdin:
    sent = json.loads(line)
    try:
        print(Webhook(sent["secret"]).verify(sent["body"], sent["headers"])["type"])
    except WebhookVerificationError as error:
        print("refused:", error)
