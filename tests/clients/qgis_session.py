"""A session of QGIS with an OGC API of ours, by QGIS' own client code, without a window: what it saw, as JSON.

    QT_QPA_PLATFORM=offscreen /usr/bin/python3 tests/clients/qgis_session.py http://127.0.0.1:8080/ogc roads sites

Runs on the Python of the system with Debian's `python3-qgis`; `tests/app/test_ogc.py` starts it and compares.
"""

import json
import os
import sys
import tempfile

from qgis.core import (
    Qgis,
    QgsApplication,
    QgsBlockingNetworkRequest,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeatureRequest,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsProject,
    QgsRectangle,
    QgsVectorLayer,
    QgsVectorTileLayer,
)
from qgis.PyQt.QtCore import QSize, QUrl
from qgis.PyQt.QtNetwork import QNetworkRequest

TILE_ZOOM = 9
IMAGE_PX = 256


def read_layer(url, name):
    """What QGIS makes of a collection: its count, and what it reads feature by feature, whole and in a box."""
    layer = QgsVectorLayer(f"url='{url}' typename='{name}'", name, "OAPIF")
    if not layer.isValid():
        return {"valid": False, "error": layer.error().summary()}
    features = list(layer.getFeatures())
    first = features[0].geometry().boundingBox() if features else QgsRectangle()
    box = QgsRectangle(first)
    box.grow(0.001)
    boxed = list(layer.getFeatures(QgsFeatureRequest().setFilterRect(box)))
    return {
        "valid": True,
        "crs": layer.crs().authid(),
        "fields": [field.name() for field in layer.fields()],
        "types": {field.name(): field.typeName() for field in layer.fields()},
        "counted": layer.featureCount(),
        "read": len(features),
        "in_box": len(boxed),
        "without_geometry": sum(not feature.hasGeometry() for feature in features),
        "ids": sorted(str(feature.attributes()[0]) for feature in features)[:5],
    }


def read_tiles(url, name, extent):
    """What QGIS gets of the vector tiles of a collection, raw and drawn."""
    address = f"{url}/collections/{name}/tiles/WebMercatorQuad/{{z}}/{{x}}/{{y}}"
    layer = QgsVectorTileLayer(f"type=xyz&zmin=0&zmax=14&url={address}", name)
    if not layer.isValid():
        return {"valid": False}
    mercator = QgsCoordinateReferenceSystem("EPSG:3857")
    shown = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:4326"), mercator, QgsProject.instance()
    ).transformBoundingBox(extent)
    half = 20037508.342789244
    size = 2 * half / 2**TILE_ZOOM
    column, row = int((shown.center().x() + half) / size), int((half - shown.center().y()) / size)
    asked = QgsBlockingNetworkRequest()
    place = {"z": TILE_ZOOM, "x": column, "y": row}
    asked.get(QNetworkRequest(QUrl(address.format(**place))))
    settings = QgsMapSettings()
    settings.setLayers([layer])
    settings.setDestinationCrs(mercator)
    settings.setExtent(shown)
    settings.setOutputSize(QSize(IMAGE_PX, IMAGE_PX))
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    image = job.renderedImage()
    empty = image.pixel(0, 0)
    drawn = sum(image.pixel(x, y) != empty for x in range(IMAGE_PX) for y in range(IMAGE_PX))
    return {"valid": True, "tile_bytes": asked.reply().content().size(), "drawn_pixels": drawn}


def main():
    """Read every collection that is named."""
    url, names = sys.argv[1], sys.argv[2:]
    application = QgsApplication([], False, tempfile.mkdtemp(prefix="qgis-"))
    application.initQgis()
    layers = {name: read_layer(url, name) for name in names}
    roads = QgsVectorLayer(f"url='{url}' typename='{names[0]}'", names[0], "OAPIF")
    extent = QgsRectangle()
    for feature in roads.getFeatures():
        extent.combineExtentWith(feature.geometry().boundingBox())
    tiles = {name: read_tiles(url, name, extent) for name in names}
    print(json.dumps({"qgis": Qgis.QGIS_VERSION, "layers": layers, "tiles": tiles}), flush=True)
    os._exit(0)  # QGIS without a window may crash while it takes itself apart; what it saw is told by then


if __name__ == "__main__":
    main()
