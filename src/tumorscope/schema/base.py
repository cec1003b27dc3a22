"""What every documented schema is made of."""

from pydantic import BaseModel, ConfigDict


class Strict(BaseModel):
    """A frozen part of a schema that knows its fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True)
