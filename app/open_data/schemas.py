"""The data dictionary as it is answered: a Data Package with Table Schemas (Frictionless Data, v1)."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from app.open_data.dictionary import Kind


class ColumnConstraints(BaseModel):
    """What holds of a column's values."""

    required: bool


class DataColumn(BaseModel):
    """A column."""

    name: str
    type: Kind
    description: str
    unit: str
    constraints: ColumnConstraints


class TableSchema(BaseModel):
    """The columns of a table, in their order, and those that name a row."""

    fields: list[DataColumn]
    primary_key: list[str] = Field(alias="primaryKey")


class DataResource(BaseModel):
    """A table: where it is, and what its columns say."""

    model_config = ConfigDict(populate_by_name=True)

    name: str
    title: str
    description: str
    path: str
    format: str
    encoding: str
    table_schema: TableSchema = Field(alias="schema")


class DataPackage(BaseModel):
    """All tables of open data."""

    profile: str
    name: str
    title: str
    homepage: str
    resources: list[DataResource]
