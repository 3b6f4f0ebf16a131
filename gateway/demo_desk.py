"""The demo's desk: a robot that works the queue as a trader would, with a trader's delays.

What it does with an item is decided by the item's number and the seed. A command that the engine
refuses is no mistake (the client may have cancelled in between); no answer at all is one.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from collections import Counter
from enum import Enum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from engine.enums import DeskAction, DeskState, Side
from gateway.demo_market import NICE
from gateway.desk_reader import DeskClient, DeskError

TRADER = "robot"
LOOK_S = 0.05
AGE_S = (0.3, 2.2)  # how long an item waits before the robot looks at it


class Plan(Enum):
    """What becomes of an item, with the share of items."""

    FILL = 45
    QUOTE_THEN_FILL = 20
    FILL_IN_PARTS = 13
    PART_ONLY = 5
    DECLINE = 7
    LEAVE = 10


class DeskReport(NamedTuple):
    """What the robot did, and what the engine said to it."""

    actions: dict[str, int]
    refused: dict[str, int]
    problems: list[str]


class Robot:
    """One trader; an item is acted on at most once a look."""

    def __init__(self, directory: Path, seed: int) -> None:
        self.desk = DeskClient(directory)
        self.seed = seed
        self.actions: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()
        self.problems: list[str] = []
        self._given_up: set[int] = set()

    def look(self) -> None:
        """Work every item that has waited long enough."""
        self.desk.catch_up()
        now_ns = time.time_ns()
        for item in list(self.desk.queue.items):
            rng = random.Random(f"{self.seed} {item['item_id']}")
            waited_s = (now_ns - int(item["changed_ns"])) / 1e9
            if waited_s >= rng.uniform(*AGE_S) and int(item["item_id"]) not in self._given_up:
                self._work(item, rng)
        self._given_up &= {int(item["item_id"]) for item in self.desk.queue.items}

    def _work(self, item: Any, rng: random.Random) -> None:
        plan = rng.choices(list(Plan), [plan.value for plan in Plan])[0]
        state, left = DeskState(int(item["state"])), int(item["qty"] - item["filled_qty"])
        untouched = item["filled_qty"] == 0
        px_e6 = _px_of(item)
        if plan is Plan.LEAVE or (plan is Plan.PART_ONLY and not untouched):
            self._given_up.add(int(item["item_id"]))
        elif plan is Plan.DECLINE:
            self._do(DeskAction.DECLINE, item)
        elif plan is Plan.QUOTE_THEN_FILL and state is not DeskState.QUOTED:
            first = state is DeskState.QUEUED
            self._do(DeskAction.CLAIM if first else DeskAction.QUOTE, item, px_e6=px_e6)
        elif plan in (Plan.FILL_IN_PARTS, Plan.PART_ONLY) and untouched and left > 1:
            self._do(DeskAction.FILL, item, px_e6=px_e6, qty=max(1, left * rng.randint(2, 6) // 10))
        else:
            self._do(DeskAction.FILL, item, px_e6=px_e6)

    def _do(self, action: DeskAction, item: Any, *, px_e6: int = 0, qty: int = 0) -> None:
        item_id = int(item["item_id"])
        try:
            result = self.desk.command(action, TRADER, item_id=item_id, px_e6=px_e6, qty=qty)
        except DeskError as error:
            text = str(error)
            self.refused[text.partition(":")[0]] += 1
            self._given_up.add(item_id)
            if not text.startswith("SI-"):
                self.problems.append(f"desk: {text}")
            return
        self.actions[DeskAction(int(result["action"])).name] += 1


def _px_of(item: Any) -> int:
    """The touch when the order came, or the client's limit where that is better for the client."""
    limit_px_e6 = int(item["limit_px_e6"])
    if item["side"] == Side.BUY:
        ask_px_e6 = int(item["ask_px_e6"])
        return min(ask_px_e6, limit_px_e6) if limit_px_e6 else ask_px_e6
    return max(int(item["bid_px_e6"]), limit_px_e6)


def serve(directory: Path, seed: int, reports: Connection, stop: Any) -> None:
    """Work the queue until `stop`, then report."""
    os.nice(NICE)
    robot = Robot(directory, seed)
    parent = multiprocessing.parent_process()
    while not stop.is_set() and not robot.problems and (parent is None or parent.is_alive()):
        robot.look()
        time.sleep(LOOK_S)
    reports.send(DeskReport(dict(robot.actions), dict(robot.refused), robot.problems))
