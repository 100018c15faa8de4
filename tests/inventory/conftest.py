"""ansible-core reads its configuration once, when it is first imported: say which before that."""

import os
from pathlib import Path

os.environ["ANSIBLE_CONFIG"] = str(Path(__file__).with_name("ansible.cfg"))
