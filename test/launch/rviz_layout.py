# SPDX-License-Identifier: Apache-2.0
"""The window of config/segmentation.rviz: which docks its saved state holds, and how it is made.

RViz keeps the places of its docks as QMainWindow::saveState of Qt, in hexadecimal. A dock is found
again by its name, which is the name of its panel or of its display. To make a new state:

    pip install PyQt5
    QT_QPA_PLATFORM=offscreen python test/launch/rviz_layout.py layout.png

prints the state and draws the window. Copy the state into the file.
"""

# Qt is installed by hand, see above.
# pyright: reportMissingImports=false

import re
import sys

WIDTH, HEIGHT = 1600, 1000
WIDTH_OF_DISPLAYS, WIDTH_OF_OVERLAY, HEIGHT_OF_BOTTOM_ROW = 240, 760, 340
BOTTOM_ROW = "Camera frame", "Ground in the overlay", "Truth"

# A dock in Qt's format: marker, length of the name, name in UTF-16, flags.
_DOCK = re.compile(rb"\xfb\x00{3}(.)((?:\x00[ -~])+)[\x00\x01]", re.DOTALL)


def dock_names(state: str) -> list[str]:
    """The names of the docks in a state as RViz writes it."""
    found = _DOCK.finditer(bytes.fromhex(state))
    return [
        name.decode("utf-16-be")
        for length, name in map(re.Match.groups, found)
        if length[0] == len(name)
    ]


def make_state(picture: str) -> str:
    """Makes the state, restores it in a second window, and draws that into a picture."""
    from PyQt5.QtCore import QByteArray, QSize, Qt
    from PyQt5.QtWidgets import QApplication, QDockWidget, QLabel, QMainWindow, QToolBar

    application = QApplication(sys.argv)

    def open_window() -> QMainWindow:
        window = QMainWindow()
        window.setCentralWidget(QLabel("3D view"))
        window.menuBar().addMenu("File")
        window.statusBar()
        tools = QToolBar("Tools")
        tools.setObjectName("Tools")
        tools.addAction("Move Camera")
        window.addToolBar(tools)
        places = {"Displays": Qt.LeftDockWidgetArea, "Overlay": Qt.RightDockWidgetArea}
        places |= dict.fromkeys(BOTTOM_ROW, Qt.BottomDockWidgetArea)
        for name, place in places.items():
            dock = QDockWidget(name)
            dock.setObjectName(name)
            label = QLabel(name)
            label.setStyleSheet("background: lightgrey")
            label.setMinimumSize(QSize(1, 1))
            dock.setWidget(label)
            window.addDockWidget(place, dock)
        window.resize(WIDTH, HEIGHT)
        window.show()
        application.processEvents()
        return window

    window = open_window()
    docks = {dock.objectName(): dock for dock in window.findChildren(QDockWidget)}
    columns = [WIDTH_OF_DISPLAYS, WIDTH_OF_OVERLAY]
    window.resizeDocks([docks["Displays"], docks["Overlay"]], columns, Qt.Horizontal)
    row = [docks[name] for name in BOTTOM_ROW]
    window.resizeDocks(row, [WIDTH // len(row)] * len(row), Qt.Horizontal)
    window.resizeDocks(row, [HEIGHT_OF_BOTTOM_ROW] * len(row), Qt.Vertical)
    application.processEvents()
    state = bytes(window.saveState()).hex()
    again = open_window()
    again.restoreState(QByteArray.fromHex(state.encode()))
    application.processEvents()
    again.grab().save(picture)
    return state


if __name__ == "__main__":
    print(make_state(sys.argv[1]))
