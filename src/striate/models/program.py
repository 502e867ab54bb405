"""A program: what a model computes to predict, as a list of compiled operations in memory of its own."""

import contextlib
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from striate.kernels.library import library, plain
from striate.kernels.program import Apart, Instruction, run_in_groups, run_program
from striate.layers.structure import as_tensor, mode
from striate.layers.symbol import Symbol, replace_symbols
from striate.models import lowering_plain, lowering_weighted
from striate.models.graph import Graph
from striate.models.grouping import Group, groups_of
from striate.models.lowering import Lowering, NotLoweredError, has_graph
from striate.models.lowering_steps import Call, Compiled, Convolve, Copy, Packed, Step
from striate.models.placing import place_arrays
from striate.models.plan import is_off
from striate.models.values import Storage, Value

WORTH_A_PROGRAM = 3  # batches, for which it pays to lay weights out anew
RULES_ARE_IN = lowering_plain, lowering_weighted  # imported so that they are registered
MOST_SHAPES = 8  # of inputs, for which steps are kept


class Program:
    """A model's outputs as `predict` gives them, faster: Python is left out between layers.

    Weights, and who listens to layers, are read when a shape of input first comes. After a change, make another one.

    What is no float32 array on the CPU, and models whose forward is code of their own, go through the model itself;
    `describe` says so.

    Args:
        model: Built.

    Example:
        >>> from striate.layers import Dense
        >>> from striate.models import Sequential
        >>> model = Sequential([Dense(2, activation="relu", input_shape=(3,))])
        >>> Program(model)(torch.ones(4, 3)).shape
        torch.Size([4, 2])
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.reason = "nothing is compiled here" if library() is None else None
        if is_off():
            self.reason = "STRIATE_PLAN=off"
        if not has_graph(model):
            self.reason = "a forward, hooks or a precision of its own"
        self._packed: Packed = {}
        self._prepared: dict[tuple[Any, ...], Prepared] = {}
        self._last: tuple[torch.Size, Prepared] | None = None
        self._lock = threading.Lock()

    def __call__(self, x: Any) -> Any:
        """The model's outputs, in inference mode, for arrays (N, ...), in the structure that the model takes."""
        if type(x) is torch.Tensor and self._last is not None and x.shape == self._last[0] and _is_ready(x):
            with self._lock, torch.no_grad():
                return self._run(self._last[1], [x])[0]
        arrays = None if self.reason else self._arrays(self.model.graph, x)
        if arrays is None:
            return self._call_model(x)
        graph: Graph = self.model.graph
        with self._lock, torch.no_grad():
            try:
                prepared = self._prepare(graph, arrays)
            except NotLoweredError as error:
                self.reason = str(error)
                return self._call_model(x)
            outputs = self._run(prepared, arrays)
        one = all(isinstance(ends, Symbol) and ends.dtype == "float32" for ends in (graph.inputs, graph.outputs))
        self._last = (arrays[0].shape, prepared) if one else None
        by_symbol = dict(zip(map(id, graph.output_symbols), outputs, strict=True))
        return replace_symbols(graph.outputs, lambda symbol: by_symbol[id(symbol)])

    def _run(self, prepared: "Prepared", arrays: list[torch.Tensor]) -> list[torch.Tensor]:
        with mode(self.model, False) if prepared.calls_layers else contextlib.nullcontext():
            return prepared.run(arrays)

    def _call_model(self, x: Any) -> Any:
        with torch.no_grad(), mode(self.model, False):
            return self.model(x)

    def describe(self) -> str:
        """What runs how, for the last shape of input that came.

        Example:
            >>> from striate.layers import Dense
            >>> from striate.models import Sequential
            >>> program = Program(Sequential([Dense(2, input_shape=(3,), name="out")]))
            >>> _ = program(torch.ones(4, 3))
            >>> print(program.describe())
            Dense 'out': product
        """
        if self.reason is not None:
            return f"layers as they are: {self.reason}"
        if not self._prepared:
            return "not called yet"
        return self._prepared[next(reversed(self._prepared))].describe()

    def _arrays(self, graph: Graph, x: Any) -> list[torch.Tensor] | None:
        """The inputs in order; None where they are nothing for a program."""
        if not plain() or torch.nn.modules.module._has_any_global_hook():
            return None
        bound = graph.bind(as_tensor(x, "float32", self.model.where))
        arrays = [bound[id(symbol)] for symbol in graph.input_symbols]
        usable = all(isinstance(a, torch.Tensor) and a.is_cpu and a.numel() and not a.requires_grad for a in arrays)
        return arrays if usable else None

    def _prepare(self, graph: Graph, arrays: list[torch.Tensor]) -> "Prepared":
        shapes = tuple(tuple(array.shape) for array in arrays)
        found = self._prepared.get(shapes)
        if found is None:
            while len(self._prepared) >= MOST_SHAPES:
                del self._prepared[next(iter(self._prepared))]
            found = self._prepared[shapes] = Prepared(Lowering(graph, shapes), self._packed)
        return found


class Prepared:
    """Steps for inputs of one shape, with the memory they need.

    Args:
        lowering: Them.
        packed: Weights that are laid out already; new ones are added.
    """

    def __init__(self, lowering: Lowering, packed: Packed) -> None:
        self.steps, self.inputs, self.outputs = lowering.steps, lowering.inputs, lowering.outputs
        self.threads = torch.get_num_threads()
        self.groups = groups_of(self.steps, self.threads)
        self.memory = torch.zeros(place_arrays(self.steps, self.outputs, self.groups, self.threads))
        compiled = [step for step in self.steps if isinstance(step, Compiled)]
        self._instructions = (Instruction * len(compiled))()
        self._held: list[Any] = []  # in memory, while instructions point there
        self._brought: list[tuple[int, int, Storage]] = []  # instruction, input, and whose array it is
        for number, step in enumerate(compiled):
            instruction, held = step.instruction(packed)
            self._held += held
            instruction.y = (self._address(step.output) or 0) + 4 * _start(step)
            self._instructions[number] = instruction
            for slot, value in self._slots(step):
                self._instructions[number].given[slot] = self._address(value)
                if value.storage.offset is None:
                    self._brought.append((number, slot, value.storage))
        self._pieces = list(self._cut())
        self.calls_layers = any(isinstance(step, Call) for step in self.steps)

    def run(self, arrays: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """The outputs for the inputs."""
        brought: dict[Storage, torch.Tensor] = {}
        for value, array in zip(self.inputs, arrays, strict=True):
            brought[value.storage] = array
        for piece in self._pieces:
            if isinstance(piece, Call):
                found = piece.function(*(self._array(value, brought) for value in piece.reads))
                brought[piece.output.storage] = found
                continue
            for number, slot, storage in piece.brought:
                array = brought[storage]
                if array.dtype != torch.float32 or not array.is_contiguous():
                    array = brought[storage] = array.float().contiguous()
                self._instructions[number].given[slot] = array.data_ptr()
            if piece.group is None:
                run_program(self._instructions, piece.first, piece.count)
            else:
                items, size = piece.group.items, piece.group.size
                run_in_groups(self._instructions, piece.first, piece.apart, items, size, self.threads)
        return [self._result(value, brought) for value in self.outputs]

    def describe(self) -> str:
        """What runs how."""
        grouped = {time: group for group in self.groups for time in range(group.first, group.last + 1)}
        return "\n".join(_described(step, grouped.get(time)) for time, step in enumerate(self.steps))

    @staticmethod
    def _slots(step: Compiled) -> Iterator[tuple[int, Value]]:
        """The positions among an instruction's arrays of what it reads."""
        for position, value in enumerate(step.reads):
            yield (3 if isinstance(step, Convolve) and position == step.added else position), value

    def _address(self, value: Value) -> int | None:
        offset = value.storage.offset
        return None if offset is None else self.memory.data_ptr() + 4 * offset

    def _array(self, value: Value, brought: dict[Storage, torch.Tensor]) -> torch.Tensor:
        storage = value.storage
        if storage.offset is None:
            return brought[storage].reshape(value.shape)
        return self.memory[storage.offset : storage.offset + storage.numbers].view(value.shape)

    def _result(self, value: Value, brought: dict[Storage, torch.Tensor]) -> torch.Tensor:
        """An output, in memory that the next run leaves alone."""
        array = self._array(value, brought)
        inside = value.storage.offset is not None or any(value.storage is given.storage for given in self.inputs)
        return array.clone() if inside else array

    def _cut(self) -> Iterator["Call | Piece"]:
        """Calls, and in between the instructions that run at once, all items or a group's."""
        starts = {group.first: group for group in self.groups}
        number = time = 0
        while time < len(self.steps):
            step, group = self.steps[time], starts.get(time)
            if isinstance(step, Call):
                yield step
                time += 1
                continue
            end = group.last + 1 if group else time + 1
            while not group and end < len(self.steps) and end not in starts and isinstance(self.steps[end], Compiled):
                end += 1
            first, number = number, number + end - time
            brought = [one for one in self._brought if first <= one[0] < number]
            yield Piece(first, number - first, brought, group, self._apart(group))
            time = end

    def _apart(self, group: Group | None) -> Any:
        """How far apart the arrays of a group's instructions lie."""
        steps = self.steps[group.first : group.last + 1] if group else []
        apart = (Apart * len(steps))()
        for one, step in zip(apart, steps, strict=True):
            assert group is not None
            assert isinstance(step, Compiled)
            for slot, value in (*self._slots(step), (4, step.output)):
                one.by_item[slot], one.by_thread[slot] = group.apart(value.storage)
        return apart


@dataclass
class Piece:
    """Instructions that run at once.

    Attributes:
        first, count: Their numbers.
        brought: Instruction, input, and whose array it is, of arrays that do not lie in the program's memory.
        group: Whose items are run by and by, if they are.
        apart: How far apart the arrays of those lie.
    """

    first: int
    count: int
    brought: list[tuple[int, int, Storage]]
    group: Group | None
    apart: Any


def _described(step: Step, group: Group | None) -> str:
    made = f": {step.made}" if isinstance(step, Compiled) else ""
    return f"{step.name}{made}{f', {group.size} of {group.items} items at a time' if group else ''}"


def _is_ready(x: torch.Tensor) -> bool:
    """Whether an array of the last one's shape can be read as it is."""
    return not x.requires_grad and plain(x) and not torch.nn.modules.module._has_any_global_hook()


def _start(step: Compiled) -> int:
    """Numbers from the beginning of the output's memory to the first that the step writes."""
    return step.to[4] if isinstance(step, Convolve | Copy) and step.to else 0
