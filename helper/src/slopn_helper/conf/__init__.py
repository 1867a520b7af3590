"""wg-quick files, in and out: pure text, no I/O. Sources: wg-quick(8) and wg(8)."""

from __future__ import annotations

from slopn_helper.conf.errors import ConfError as ConfError
from slopn_helper.conf.names import name_of_file as name_of_file
from slopn_helper.conf.names import name_problem as name_problem
from slopn_helper.conf.names import valid_name as valid_name
from slopn_helper.conf.parser import Parsed as Parsed
from slopn_helper.conf.parser import parse as parse
from slopn_helper.conf.values import MOST_MTU as MOST_MTU
from slopn_helper.conf.values import least_mtu as least_mtu
from slopn_helper.conf.writer import write as write
