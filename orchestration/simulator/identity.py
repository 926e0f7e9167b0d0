"""Names, numbers and addresses of people who do not exist.

Here: personal identifiers as text, each a pure function of the slot. Not here: traits.
Identity numbers follow GB 11643 with its check digit, IMEIs carry a Luhn digit; the regions, number
ranges and streets are made up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from orchestration.simulator import catalogue as cat
from orchestration.simulator.feeds import coded, joined, padded
from orchestration.simulator.randomness import scramble

Ints = npt.NDArray[np.int64]

_SURNAMES = tuple("王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹")
_GIVEN = tuple("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超兰霞平刚桂英华玉萍红梅建国文辉力海波宁")
_STREETS = ("人民路", "解放路", "建设路", "和平街", "新华街", "中山路", "滨河路", "学府街")
_REGIONS = ("990101", "990102", "990203", "990304")
_ID_WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
_ID_CHECKS = tuple("10X98765432")
_TEN_DIGITS = 10**8
_FIRST_BLOCK, _CHANGED_BLOCK = 130, 150  # number ranges: first numbers, those after a change
_BLOCKS_A_CHANGE = 5  # room for as many hundred millions of lines
_CHANGE_STEP = 31_415_927
_MOVE_STEP = 10**12  # away from every slot
_FIRM_WORDS = ("宏达", "远航", "金桥", "新程", "华盛", "同辉", "天元", "安泰")
_FIRM_TRADES = ("商贸", "物流", "科技", "建材", "餐饮", "制造")
_OFFICES = ("市政管理处", "教育中心", "卫生服务中心", "街道办事处", "税务服务站")
PLACEHOLDER_NAMES = ("测试用户", "未知", "客户", "无名", "先生", "111111")
SLOTS_A_REGION = 10_000_000  # slots of a region are numbered from here on, within the operator
BATCHES = 9


def pick(slots: Ints, salt: int, choices: int) -> Ints:
    mixed = scramble(slots * 64 + salt)
    return ((mixed >> np.uint64(11)) % np.uint64(choices)).astype(np.int64)


def names(slots: Ints) -> pa.Array:
    """A family name and one or two given characters."""
    last = coded(pick(slots, 1, len(_SURNAMES)), _SURNAMES)
    first = coded(pick(slots, 2, len(_GIVEN)), _GIVEN)
    second = coded(pick(slots, 3, len(_GIVEN) + 12), (*_GIVEN, *[""] * 12))
    return joined(last, first, second)


def firm_names(slots: Ints, is_government: npt.NDArray[np.bool_], towns: pa.Array) -> pa.Array:
    """Names of firms and public offices of a town."""
    word = coded(pick(slots, 20, len(_FIRM_WORDS)), _FIRM_WORDS)
    trade = coded(pick(slots, 21, len(_FIRM_TRADES)), _FIRM_TRADES)
    office = coded(pick(slots, 22, len(_OFFICES)), _OFFICES)
    firm = joined(word, trade, "有限公司")
    return joined(towns, pc.if_else(pa.array(is_government), office, firm))


def placeholder_names(slots: Ints) -> pa.Array:
    """What people type where the name is not known."""
    return coded(pick(slots, 23, len(PLACEHOLDER_NAMES)), PLACEHOLDER_NAMES)


def licence_numbers(slots: Ints) -> pa.Array:
    """Registration numbers of firms, 15 digits of the old form."""
    return joined("990", padded(slots + 1, 12))


def broken_id_numbers(numbers: pa.Array) -> pa.Array:
    """Identity numbers whose check digit is wrong."""
    is_zero = pc.equal(pc.utf8_slice_codeunits(numbers, 17, 18), "0")
    wrong = pc.if_else(is_zero, pa.scalar("1"), pa.scalar("0"))
    return joined(pc.utf8_slice_codeunits(numbers, 0, 17), wrong)


def addresses(
    slots: Ints, branches: Ints, city_names: tuple[str, ...], moves: Ints | None = None
) -> pa.Array:
    """Where the customer lives after a number of moves within the branch's town."""
    towns = coded(branches, city_names)
    slots = slots if moves is None else slots + moves * _MOVE_STEP
    street = coded(pick(slots, 4, len(_STREETS)), _STREETS)
    number = pa.array(1 + pick(slots, 5, 400)).cast(pa.string())
    room = pa.array(101 + pick(slots, 6, 2400)).cast(pa.string())
    return joined(towns, street, number, "号", room, "室")


def id_numbers(slots: Ints, birthdays: Ints, genders: Ints) -> pa.Array:
    """18 characters: region, birthday, a number whose last digit is odd for men, check digit."""
    region = coded(pick(slots, 7, len(_REGIONS)), _REGIONS)
    birthday = pc.strftime(pa.array(birthdays.astype(np.int32), pa.date32()), format="%Y%m%d")
    number = padded(pick(slots, 8, 500) * 2 + genders, 3)
    body = joined(region, birthday, number)
    if not len(slots):
        return body
    digits = np.frombuffer("".join(body.to_pylist()).encode(), dtype=np.uint8).reshape(-1, 17)
    remainder = ((digits.astype(np.int64) - 48) * _ID_WEIGHTS).sum(axis=1) % 11
    return joined(body, coded(remainder, _ID_CHECKS))


def msisdn(slots: Ints, versions: Ints | None = None) -> pa.Array:
    """11 digits; one number a slot and version, the n-th after n changes of the number."""
    block, rest = np.divmod(slots, _TEN_DIGITS)
    versions = np.zeros_like(slots) if versions is None else versions
    # A bijection within a block: the factor is odd and no multiple of five.
    mixed = (rest * 48_271 + 1_234_577 + versions * _CHANGE_STEP) % _TEN_DIGITS
    first = np.where(versions > 0, _CHANGED_BLOCK + (versions - 1) * _BLOCKS_A_CHANGE, _FIRST_BLOCK)
    return joined(padded(first + block, 3), padded(mixed, 8))


def imsi(slots: Ints) -> pa.Array:
    return joined("46099", padded(slots + 1, 10))


def tac(devices: Ints, regions: Ints, numbers: Ints) -> Ints:
    """Type allocation code of a device: later batches of a model have codes of their own.

    A code leaves room for a million devices, so that each region and each batch has one.
    """
    base = np.array([int(device.tac) for device in cat.DEVICES])[devices]
    batch = np.minimum(numbers - 1, BATCHES - 1)
    return base + regions * 10_000 + np.maximum(batch, 0) * 1_000


def imei(devices: Ints, keys: Ints, numbers: Ints) -> pa.Array:
    """15 digits: type allocation code, serial of the n-th device of a slot, Luhn digit."""
    regions, slots = np.divmod(keys, SLOTS_A_REGION)
    serial = (slots * 37) % 1_000_000  # a bijection of a million slots
    body = tac(devices, regions, numbers) * 1_000_000 + serial
    places = (body[:, None] // 10 ** np.arange(14)) % 10  # from the right
    doubled = places * np.where(np.arange(14) % 2 == 0, 2, 1)
    check = (-(doubled // 10 + doubled % 10).sum(axis=1)) % 10
    return padded(body * 10 + check, 15)
