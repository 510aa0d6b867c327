"""Label Studio's settings with its queues on, as its hosted edition has them.

The community edition has the code and leaves it off. scripts/label-studio --redis runs
the server and its workers with these.
"""

import os

from core.settings.base import *  # noqa: F403

# Label Studio's settings read these while they are being imported.
SENTRY_DSN = FRONTEND_SENTRY_DSN = ""

from label_studio.core.settings.label_studio import *  # noqa: E402, F403

REDIS_ENABLED = True
RQ_QUEUES = {
    name: {"HOST": "127.0.0.1", "PORT": int(os.environ["HONE_REDIS_PORT"]), "DB": 0, "DEFAULT_TIMEOUT": 180}
    for name in ("critical", "high", "default", "low")
}
