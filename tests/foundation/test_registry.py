from typing import Any

import pytest

from striate.foundation.checks import UserError
from striate.foundation.configured import Configured
from striate.foundation.custom_objects import register_keras_serializable
from striate.foundation.registry import Registry


class Base(Configured):
    pass


kinds: Registry[Base] = Registry("thing", "keras.things", Base)


@kinds.register("wide")
class BroadThing(Base):
    def __init__(self, width: int = 1) -> None:
        self.width = width

    def config(self) -> dict[str, Any]:
        return {"width": self.width}


@kinds.register()
class Other(Base):
    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Other":
        made = cls()
        made.made_of = config
        return made


@pytest.mark.parametrize("name", ["BroadThing", "broad_thing", "broadthing", "BROAD_THING", "wide", "Wide"])
def test_names_match_whatever_their_case(name: str):
    assert type(kinds.get(name)) is BroadThing


def test_instances_classes_and_configs():
    thing = BroadThing(3)
    assert kinds.get(thing) is thing
    assert type(kinds.get(BroadThing)) is BroadThing
    assert kinds.get({"class_name": "BroadThing", "config": {"width": 4}}).width == 4
    assert kinds.get({"class_name": "BroadThing"}).width == 1
    assert kinds.get({"class_name": "BroadThing", "config": None}).width == 1
    assert kinds.get({"class_name": "Other", "config": {"a": 1}}).made_of == {"a": 1}
    assert kinds.get(kinds.serialize(thing)).width == 3
    assert kinds.serialize(thing) == {
        "module": "keras.things",
        "class_name": "BroadThing",
        "config": {"width": 3},
        "registered_name": None,
    }


def test_a_class_of_ones_own_is_written_with_its_registered_name():
    @register_keras_serializable("mine")
    class Own(Base):
        def get_config(self) -> dict[str, Any]:
            return {"size": 2}

    form = {"module": None, "class_name": "Own", "config": {"size": 2}, "registered_name": "mine>Own"}
    assert kinds.serialize(Own()) == form


@pytest.mark.parametrize(
    ("identifier", "text"),
    [
        ("brod_thing", r"^Thing got thing 'brod_thing'; it needs a known thing\. Did you mean 'BroadThing'\?$"),
        (3, r"^Thing got thing 3; it needs the name of a known thing, or a Base\. Choose one of"),
        (None, r"^Thing got thing None"),
        (int, r"^Thing got thing <class 'int'>"),
        ({"class_name": 3}, r"^Thing got thing {'class_name': 3}"),
        ({"class_name": "Nope"}, r"^Thing got thing 'Nope'; it needs a known thing"),
        ({"class_name": "BroadThing", "config": {"depth": 1}}, r"^Thing got BroadThing with {'depth': 1}; it needs ar"),
        ({"class_name": "BroadThing", "config": [1]}, r"^Thing got BroadThing with \[1\]; it needs arguments it knows"),
    ],
)
def test_what_leads_nowhere_is_refused(identifier: Any, text: str):
    with pytest.raises(UserError, match=text):
        kinds.get(identifier)


def test_errors_name_who_asks():
    with pytest.raises(UserError, match=r"^Dense 'd' got thing 'x'"):
        kinds.get("x", "Dense 'd'")
