"""A network that knows photographs: as it is, or with a last layer that learns what is asked of it."""

from collections import Counter

from striate.layers import Concatenate, Dense, Dropout, Input
from striate.models.applications.efficientnet_lite import EfficientNetLite0
from striate.models.applications.imagenet import class_names
from striate.models.model import Model
from striate.tasks.classification_spec import ClassificationSpec
from striate.tasks.task import Ready

DROPOUT = 0.2


def transfer(shape: tuple[int, int, int], classes: int) -> Model:
    """EfficientNet-Lite0, which does not learn any more, and a layer that does.

    Args:
        shape: Of one picture of pixels from 0 to 255: (height, width, channels); grey becomes three equal colours.
        classes: Outputs, a probability each.

    Raises:
        UserError: The weights are not installed.
    """
    begin = Input(shape)
    x = Concatenate(name="as_colours")([begin] * 3) if shape[2] == 1 else begin
    trunk = EfficientNetLite0(include_top=False, pooling="avg", input_tensor=x, drop_connect_rate=0.0)
    trunk.trainable = False
    x = Dropout(DROPOUT, name="dropout")(trunk.outputs[0])
    return Model(begin, Dense(classes, activation="softmax", name="probabilities")(x), name="transfer")


def imagenet_network(task: str) -> Ready:
    """EfficientNet-Lite0 as it is, which names what is to be seen in a photograph.

    Args:
        task: The task that answers with it.

    Raises:
        UserError: The weights are not installed.
    """
    model = EfficientNetLite0()
    times = Counter(name for _, name in class_names())
    names = (name if times[name] == 1 else f"{name}_{number}" for number, name in class_names())
    _, rows, columns, channels = model.input_shape
    spec = ClassificationSpec(
        task=task,
        size="medium",
        seed=0,
        epochs=0,
        batch_size=64,
        optimizer="",
        learning_rate=0.0,
        monitor="",
        classes=tuple(names),
        image_size=(rows, columns),
        channels=channels,
        pixels="uint8",
        scale=1 / 255,
        offset=0.0,
        shift=0.0,
        turn=0.0,
        zoom=0.0,
        flip=False,
        in_memory=True,
        pretrained=True,
        costs=(1.0,) * len(class_names()),
        coverage=0.0,
    )
    return Ready("EfficientNet-Lite0", "the 1,000 classes of ImageNet", model, spec)
